//! JSON text as PostgreSQL stores it: numbers of any size, and deeper nesting than serde_json
//! accepts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Whether two texts are the same JSON, digit by digit. The order of an object's keys does not
/// matter, and 1.0 equals 1.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one == other || is_same_to(one, other, MAX_DEPTH)
}

/// How deep arrays and objects are nested.
pub(crate) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut bytes) = (0_usize, 0, json.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_text(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Below this depth, texts must be identical to count as the same.
const MAX_DEPTH: usize = 200;

/// Skips a string, after its opening quotation mark.
fn skip_text(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

fn is_same_to(one: &str, other: &str, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return one == other;
    };
    let same = |(one, other): (&&RawValue, &&RawValue)| is_same_to(one.get(), other.get(), depth);
    match (one.bytes().next(), other.bytes().next()) {
        (Some(b'{'), Some(b'{')) => match (object(one), object(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len()
                    && one.keys().eq(other.keys())
                    && one.values().zip(other.values()).all(same)
            }
            _ => false,
        },
        (Some(b'['), Some(b'[')) => match (array(one), array(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len() && one.iter().zip(&other).all(same)
            }
            _ => false,
        },
        (Some(b'"'), Some(b'"')) => match (text(one), text(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        },
        _ => match (Number::of(one), Number::of(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
    }
}

/// If a key appears twice the last value counts, as in PostgreSQL.
fn object(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

fn array(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// A number as its digits: 0.DIGITS * 10^exponent. Neither the first nor the last digit is 0.
#[derive(PartialEq, Eq)]
struct Number<'a> {
    is_negative: bool,
    digits: Cow<'a, str>,
    exponent: i64,
}

impl<'a> Number<'a> {
    fn of(json: &'a str) -> Option<Self> {
        let (is_negative, number) = match json.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, json),
        };
        if !number.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (number, 0_i64),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Cow<'_, str> = match fraction {
            "" => Cow::Borrowed(whole),
            fraction => Cow::Owned(format!("{whole}{fraction}")),
        };
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let places = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        let digits = digits.trim_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self {
                is_negative: false,
                digits: Cow::Borrowed(""),
                exponent: 0,
            });
        }
        Some(Self {
            is_negative,
            digits: Cow::Owned(digits),
            exponent: exponent.checked_add(places)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_may_be_written_in_many_ways() {
        for (one, other) in [
            ("1", "1.0"),
            ("1e2", "100"),
            ("-0", "0.00e7"),
            ("0.001", "1E-3"),
            ("1e400", "10e+399"),
            (
                "123456789012345678901234567890",
                "1.2345678901234567890123456789e29",
            ),
        ] {
            assert!(is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn every_digit_counts() {
        for (one, other) in [
            ("1", "-1"),
            ("1", "10"),
            ("0.1", "0.1000000000000000000000001"),
            ("9007199254740993", "9007199254740992"),
            ("1e400", "1e401"),
            ("1", "\"1\""),
            ("1", "true"),
            ("null", "false"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn objects_have_no_order_and_arrays_have_one() {
        assert!(is_same(
            r#"{"a":[1,{}],"b":""}"#,
            r#"{ "b": "", "a": [1.0, {}] }"#
        ));
        assert!(is_same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#));
        assert!(is_same("\"\u{fc}\"", r#""\u00fc""#));
        assert!(!is_same("[1,2]", "[2,1]"));
        assert!(!is_same(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
    }

    #[test]
    fn deeply_nested_json_is_compared_and_measured_without_recursing_as_deep() {
        let nested = |depth: usize, space: &str| {
            format!("{}{space}1{}", "[".repeat(depth), "]".repeat(depth))
        };
        assert!(is_same(&nested(130, ""), &nested(130, " ")));
        assert!(is_same(&nested(10_000, ""), &nested(10_000, "")));
        assert!(!is_same(&nested(10_000, ""), &nested(10_001, "")));
        assert_eq!(depth(&nested(10_000, "")), 10_000);
        assert_eq!(depth(r#"{"[\"{{": [1, "]["], "b": {}}"#), 2);
        assert_eq!(depth("1"), 0);
    }
}
