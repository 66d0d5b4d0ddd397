//! Known bytes, and what is declined. The tests of the server compare with the server itself.

use super::*;

/// A jsonb of these parts.
fn expected(parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let mut bytes = write::length_word(4 + contents.len()).to_vec();
    bytes.extend(contents);
    bytes
}

/// Words in the byte order of the machine.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A numeric of these halves of words: its header, and its digits.
fn numeric(halves: &[u16]) -> Vec<u8> {
    let mut bytes = write::length_word(4 + 2 * halves.len()).to_vec();
    bytes.extend(halves.iter().flat_map(|half| half.to_ne_bytes()));
    bytes
}

fn encoded(text: &str) -> Option<Vec<u8>> {
    Encoder::new().encode(text.as_bytes()).map(<[u8]>::to_vec)
}

#[track_caller]
fn assert_encoded(text: &str, parts: &[&[u8]]) {
    assert_eq!(encoded(text), Some(expected(parts)), "{text}");
}

#[test]
fn a_scalar_is_an_array_of_one() {
    assert_encoded("null", &[&words(&[0x5000_0001, 0xC000_0000])]);
    assert_encoded(" true ", &[&words(&[0x5000_0001, 0xB000_0000])]);
    assert_encoded("\"ab\"", &[&words(&[0x5000_0001, 0x8000_0002]), b"ab"]);
}

#[test]
fn keys_come_first_and_short_keys_before_long_ones() {
    let entries = [0x2000_0003, 0x8000_0001, 2, 2, 0x1000_000B, 2, 0x4000_0000];
    let text = r#"{"zz": null, "b": 1, "aa": "xy"}"#;
    assert_encoded(
        text,
        &[
            &words(&entries),
            b"baazz",
            b"\0\0\0",
            &numeric(&[0x8000, 1]),
            b"xy",
        ],
    );
}

#[test]
fn the_last_of_several_equal_keys_wins() {
    let once = encoded(r#"{"a":3,"b":2}"#);
    assert!(once.is_some());
    assert_eq!(encoded(r#"{"a":[1],"b":1,"\u0061":3,"b":2}"#), once);
}

#[test]
fn each_32nd_entry_says_where_it_ends() {
    let text = format!("[{}]", vec!["\"a\""; 34].join(","));
    let mut entries = vec![1; 35];
    (entries[0], entries[1], entries[33]) = (0x4000_0022, 0x8000_0001, 0x8000_0021);
    assert_encoded(&text, &[&words(&entries), "a".repeat(34).as_bytes()]);
}

#[test]
fn containers_begin_at_a_multiple_of_four_and_the_gap_is_theirs() {
    let outer = words(&[0x4000_0002, 0x8000_0001, 0x5000_0007]);
    let inner = words(&[0x4000_0000]);
    assert_encoded(r#"["a",[]]"#, &[&outer, b"a\0\0\0", &inner]);
}

#[test]
fn numbers_keep_their_decimals() {
    let scalar = |length: u32| words(&[0x5000_0001, 0x9000_0000 | length]);
    for (text, halves) in [
        ("-0", vec![0x8000]),
        ("-0.00", vec![0x8100]),
        ("10000", vec![0x8001, 1]),
        ("-1.50", vec![0xA100, 1, 5000]),
        ("0.00012", vec![0x8280 | 0x7F, 1, 2000]),
        ("1e-5", vec![0x8280 | 0x7E, 1000]),
        ("12e256", vec![0, 64, 12]),
        ("-1e-64", vec![0x4040, 0xFFF0, 1]),
    ] {
        let number = numeric(&halves);
        assert_encoded(text, &[&scalar(number.len() as u32), &number]);
    }
}

#[test]
fn escapes_are_decoded() {
    let parts = [r#""\"\\\/\b\f\n\r\t"#, r"\u00e9\uD83d\uDE00x", "\""].concat();
    let string = "\"\\/\u{8}\u{c}\n\r\té😀x";
    let entry = 0x8000_0000 | string.len() as u32;
    assert_encoded(&parts, &[&words(&[0x5000_0001, entry]), string.as_bytes()]);
}

#[test]
fn an_encoder_forgets_the_text_before() {
    let mut encoder = Encoder::new();
    assert!(encoder.encode(br#"{"a":[1,2,"\n"]}"#).is_some());
    assert!(encoder.encode(br#"{"a":[1,2,"\n"}"#).is_none());
    let bytes = encoder.encode(br#"{"b":2}"#).map(<[u8]>::to_vec);
    assert_eq!(bytes, encoded(r#"{"b":2}"#));
}

#[test]
fn bytes_that_are_not_utf8_are_declined_wherever_they_stand() {
    for position in 0..24 {
        let mut text = *b"\"abcdefghijklmnopqrstuvw\"";
        text[1 + position.min(22)] = 0xC3;
        assert!(Encoder::new().encode(&text).is_none(), "{position}");
    }
    assert!(Encoder::new().encode(b"\"\\n\xff\"").is_none());
    assert!(encoded("\"aé\"").is_some());
}

#[test]
fn no_text_makes_it_panic() {
    let texts = [
        r#"{"a":[1.5e3,"\u00e9\ud83d\ude00",{"b":null}],"c":"long enough"}"#,
        "-12.5e-3",
        "[[[]]]",
    ];
    for text in texts {
        for length in 0..text.len() {
            assert!(
                Encoder::new().encode(&text.as_bytes()[..length]).is_none()
                    || text.starts_with('-')
            );
            for byte in 0..=255 {
                let mut damaged = text.as_bytes().to_vec();
                damaged[length] = byte;
                let _ = Encoder::new().encode(&damaged);
            }
        }
    }
}

#[test]
fn what_a_jsonb_cannot_hold_or_is_out_of_the_ordinary_is_declined() {
    let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
    let long = format!("\"{}\"", "x".repeat(MAX_TEXT_BYTES));
    let texts = [
        r#""\u0000""#,
        r#""\ud800""#,
        "1e1000",
        "01",
        "[1,]",
        "{\"a\"}",
        "\"\n\"",
        "",
        &deep,
        &long,
    ];
    for text in texts {
        assert_eq!(encoded(text), None, "{text}");
    }
}

#[test]
fn the_room_that_is_made_for_a_text_is_enough() {
    let elements = [
        "1,", "0,", "[],", "{},", "\"\",", "0.1,", "null,", "\"\\n\",", "[1,1],", "[[[1]]],",
    ];
    let pairs = ["\"\":1,", "\"a\":{},", "\"\\n\":[0],"];
    let arrays = elements.map(|element| format!("[{}1]", element.repeat(10_000)));
    let objects = pairs.map(|pair| format!("{{{}\"\":1}}", pair.repeat(10_000)));
    for text in arrays.into_iter().chain(objects) {
        for text in [&text, &format!("{{\"a\":[{text}]}}")] {
            let mut encoder = Encoder::new();
            assert!(encoder.writer.begin_text(text.len()).is_some());
            let room = encoder.writer.capacities();
            let length = encoder.encode(text.as_bytes()).map_or(0, <[u8]>::len);
            assert!(
                length > 0 && length <= 6 * text.len() + 16,
                "{}",
                &text[..20]
            );
            assert_eq!(encoder.writer.capacities(), room, "{}", &text[..20]);
        }
    }
}
