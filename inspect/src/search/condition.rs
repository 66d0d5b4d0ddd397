//! [`Condition`]: `/cents > 100`.

use serde_json::value::RawValue;

use crate::error::Error;
use crate::pointer::Pointer;

/// A condition on a part of the payload.
#[derive(Debug, Clone)]
pub struct Condition {
    pub(super) path: Vec<String>,
    /// A jsonpath over the part and `$value`; `None`: the part exists.
    pub(super) test: Option<&'static str>,
    pub(super) value: Option<Box<RawValue>>,
}

/// The comparisons, the longer ones first.
const TESTS: [(&str, &str); 8] = [
    ("!=", "$ != $value"),
    ("<=", "$ <= $value"),
    (">=", "$ >= $value"),
    ("==", "$ == $value"),
    ("^=", "$ starts with $value"),
    ("=", "$ == $value"),
    ("<", "$ < $value"),
    (">", "$ > $value"),
];

impl std::str::FromStr for Condition {
    type Err = Error;

    /// A JSON pointer, or a JSON pointer, a comparison and a JSON value: `/cents > 100`,
    /// `/owner = "Ada"`, `/owner ^= "A"` (begins with), `/tags/0`. A value that is no JSON is a
    /// text.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if !text.starts_with('/') {
            return Err(Error::malformed(format!(
                "{text:?} does not begin with a JSON pointer, such as /cents"
            )));
        }
        let split = TESTS.iter().filter_map(|(sign, test)| {
            let at = text.find(sign)?;
            Some((at, std::cmp::Reverse(sign.len()), *sign, *test))
        });
        let Some((at, _, sign, test)) = split.min() else {
            return Ok(Self {
                path: path(text)?,
                test: None,
                value: None,
            });
        };
        let (pointer, value) = (text[..at].trim_end(), text[at + sign.len()..].trim());
        let value = match serde_json::from_str(value) {
            Ok(value) => value,
            Err(_) => serde_json::value::to_raw_value(value)
                .map_err(|error| Error::malformed(error.to_string()))?,
        };
        Ok(Self {
            path: path(pointer)?,
            test: Some(test),
            value: Some(value),
        })
    }
}

/// The parts of a JSON pointer.
fn path(pointer: &str) -> Result<Vec<String>, Error> {
    Ok(pointer.parse::<Pointer>()?.into_parts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_a_pointer_a_comparison_and_a_value() {
        let condition: Condition = "/a~1b/0 >= 9007199254740993".parse().unwrap();
        assert_eq!(condition.path, ["a/b", "0"]);
        assert_eq!(condition.test, Some("$ >= $value"));
        assert_eq!(condition.value.unwrap().get(), "9007199254740993");
        let text: Condition = "/owner = Ada Lovelace".parse().unwrap();
        assert_eq!(text.value.unwrap().get(), "\"Ada Lovelace\"");
        let exists: Condition = "/owner".parse().unwrap();
        assert!(exists.test.is_none() && exists.value.is_none());
    }

    #[test]
    fn a_condition_without_a_pointer_is_refused() {
        for text in ["", "cents > 1", "> 1", "$.cents"] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.to_string().contains("JSON pointer"), "{error}");
        }
    }
}
