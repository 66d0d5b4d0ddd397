//! Texts that stand at a limit or a boundary.

use eventcore_jsonb::{MAX_DEPTH, MAX_EXPONENT, MAX_NUMBER_BYTES, MAX_TEXT_BYTES};

/// Texts that are encoded.
pub(super) fn ordinary() -> Vec<String> {
    let mut texts: Vec<String> = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.00",
        "0e5",
        "0.0e-5",
        "1",
        "-1",
        "9999",
        "10000",
        "10001",
        "100000000",
        "99999999",
        "0.0001",
        "0.00001",
        "0.99990",
        "1.0",
        "1.00",
        "123456.7890",
        "1e5",
        "1e-5",
        "1.5e3",
        "1.500e1",
        "12345678901234567890",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211",
        "-9223372036854775808",
        "0.000000000000000000000000000000001",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        r#"{"":{}}"#,
        r#"[1,"a",2,"ab",[],"abc",{},"abcd",3]"#,
        " \t\r\n[ \n1\t, 2\r] ",
        r#"{"a" : 1 , "b" : [ ] }"#,
        r#""""#,
        r#""a""#,
        r#""\"\\\/\b\f\n\r\t""#,
        r#""\u0001\u001f\u007f\u0080\u07ff\u0800\uffff""#,
        r#""\uD83D\uDE00 \ud83d\ude00 \uDBFF\uDFFF \uD800\uDC00""#,
        "\"\u{7f}é€😀\u{fffe}\u{10ffff}\"",
        r#"{"b":1,"a":2}"#,
        r#"{"aa":1,"b":2,"":3,"ab":4}"#,
        r#"{"a":1,"a":2,"a":3}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"\u0061":1,"a":2}"#,
        r#"{"a":1,"b":2,"a":[3]}"#,
        r#"{"a":[3],"b":2,"a":1}"#,
        r#"{"abcd1":1,"abcd0":2,"abcd":3,"abcd1":4}"#,
        "{\"é\":1,\"zz\":2,\"\u{7f}\u{7f}\":3}",
    ]
    .map(str::to_owned)
    .into();
    for length in [0, 1, 3, 4, 255, 256, 65_535, 65_536, 65_537] {
        let string = "x".repeat(length);
        texts.push(format!(r#""{string}""#));
        texts.push(format!(r#"{{"{string}":1,"y":"{string}","{string}z":2}}"#));
        texts.push(format!(r#"["{string}",1,"\n{string}",[2]]"#));
    }
    for count in [1, 2, 31, 32, 33, 63, 64, 65, 1_000, 10_000] {
        texts.push(array(count, |number| number.to_string()));
        texts.push(array(count, |number| {
            format!("[\"{number}\",null,{number}.50]")
        }));
        texts.push(array(count, |_| "\"a\"".to_owned()));
        texts.push(object(count, |number| format!("\"{number}\":{number}")));
        texts.push(object(count, |number| {
            format!("\"key{}\":\"v\"", count - number)
        }));
        texts.push(object(count, |number| {
            format!("\"{}\":[true]", number % 40)
        }));
    }
    for depth in [1, 2, MAX_DEPTH] {
        texts.push("[".repeat(depth) + &"]".repeat(depth));
        texts.push("[1,".repeat(depth - 1) + "[\"a\"]" + &"]".repeat(depth - 1));
        texts.push("{\"abc\":".repeat(depth) + "\"a\"" + &"}".repeat(depth));
    }
    for sign in ["", "-"] {
        texts.push(format!("123.45e{sign}{MAX_EXPONENT}"));
        // Where the short form of a number ends.
        for power in [248, 251, 252, 255, 256, 257, 259, 260] {
            texts.push(format!("{sign}1e{power}"));
            texts.push(format!("{sign}12e-{power}"));
        }
        for decimals in [62, 63, 64, 65, MAX_NUMBER_BYTES - 4] {
            texts.push(format!("{sign}0.{}1", "0".repeat(decimals - 1)));
            texts.push(format!("{sign}0.{}", "0".repeat(decimals)));
        }
    }
    texts.push(format!("\"{}\"", "x".repeat(MAX_TEXT_BYTES - 2)));
    texts.push(array((MAX_TEXT_BYTES - 1) / 2, |_| "1".to_owned()));
    texts
}

/// Texts that are declined, whatever the server says.
pub(super) fn declined() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "01",
        "-",
        "-01",
        "+1",
        "1.",
        ".1",
        "1.e5",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "NaN",
        "Infinity",
        "1 2",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{1:2}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        "[1}",
        "\"",
        "\"a",
        "'a'",
        r#""\""#,
        r#""\x""#,
        r#""\u""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\u+123""#,
        r#""\u0000""#,
        r#"{"\u0000":1}"#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\ud83d""#,
        r#""\ud83dx""#,
        r#""\ud83d\n""#,
        r#""\ud83d\u0041""#,
        "\"\n\"",
        "\"\u{1f}\"",
        "\"abcd\u{1f}efghijkl\"",
        "\"\\n\u{1}\"",
        "\u{feff}1",
        "\u{a0}1",
        "1\u{b}",
        "\u{c}1",
        "// 1",
        "1 // 1",
        "null null",
        "[] []",
        "1e1000",
        "1e-1000",
        "1e99999999999999999999",
        "1e200000",
        "340282366920938463463374607431768211456",
        "99999999999999999999999999999999999999999999",
    ]
    .map(str::to_owned)
    .into();
    texts.push(format!("0.{}", "0".repeat(MAX_NUMBER_BYTES - 1)));
    texts.push("[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1));
    texts.push("{\"a\":".repeat(MAX_DEPTH + 1) + "1" + &"}".repeat(MAX_DEPTH + 1));
    texts.push(format!("\"{}\"", "x".repeat(MAX_TEXT_BYTES - 1)));
    texts
}

fn array(count: usize, element: impl Fn(usize) -> String) -> String {
    let elements: Vec<_> = (0..count).map(element).collect();
    format!("[{}]", elements.join(","))
}

fn object(count: usize, pair: impl Fn(usize) -> String) -> String {
    let pairs: Vec<_> = (0..count).map(pair).collect();
    format!("{{{}}}", pairs.join(","))
}
