//! [`Pointer`]: a part of a JSON document, by RFC 6901.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::value::RawValue;

use crate::error::Error;

/// A JSON pointer, such as `/owner/name` or `/tags/0`; the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    parts: Vec<String>,
}

impl FromStr for Pointer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || {
            Error::malformed(format!(
                "{text:?} is no JSON pointer, such as /owner/name: each part begins with /, and ~ is written as ~0 and / as ~1"
            ))
        };
        let Some(parts) = text.strip_prefix('/') else {
            return match text.is_empty() {
                true => Ok(Self { parts: Vec::new() }),
                false => Err(malformed()),
            };
        };
        let parts = parts.split('/').map(|part| {
            let mut after_tildes = part.split('~').skip(1);
            let is_escaped = after_tildes.all(|rest| rest.starts_with(['0', '1']));
            is_escaped.then(|| part.replace("~1", "/").replace("~0", "~"))
        });
        let parts = parts.collect::<Option<_>>().ok_or_else(malformed)?;
        Ok(Self { parts })
    }
}

impl Pointer {
    /// The parts, with nothing escaped.
    pub(crate) fn into_parts(self) -> Vec<String> {
        self.parts
    }

    /// The part of a document, with every text and number as it is there. `None` if the document has
    /// no such part.
    #[must_use]
    pub fn find<'a>(&self, document: &'a RawValue) -> Option<&'a RawValue> {
        let step = |found: Option<&'a RawValue>, part: &String| child(found?, part);
        self.parts.iter().fold(Some(document), step)
    }
}

fn child<'a>(of: &'a RawValue, part: &str) -> Option<&'a RawValue> {
    match of.get().as_bytes().first()? {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(of.get()).ok()?;
            members.get(part).copied()
        }
        b'[' => {
            let is_index = part == "0" || !part.starts_with(['0', '+']);
            let index: usize = part.parse().ok().filter(|_| is_index)?;
            let elements: Vec<&RawValue> = serde_json::from_str(of.get()).ok()?;
            elements.get(index).copied()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pointer: &str, document: &str) -> Option<String> {
        let document = RawValue::from_string(document.to_owned()).unwrap();
        let pointer: Pointer = pointer.parse().unwrap();
        pointer.find(&document).map(|found| found.get().to_owned())
    }

    /// The examples of RFC 6901, section 5.
    #[test]
    fn the_examples_of_the_standard_are_found() {
        let document = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#;
        for (pointer, value) in [
            ("", document),
            ("/foo", r#"["bar", "baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(find(pointer, document).as_deref(), Some(value), "{pointer}");
        }
    }

    #[test]
    fn a_number_keeps_all_its_digits() {
        let document = r#"{"a": [{"n": 12345678901234567890.10}]}"#;
        let found = find("/a/0/n", document);
        assert_eq!(found.as_deref(), Some("12345678901234567890.10"));
    }

    #[test]
    fn a_part_that_is_not_there_is_not_found() {
        for pointer in [
            "/b", "/a/2", "/a/-", "/a/00", "/a/01", "/a/+1", "/a/0/x", "/a/x",
        ] {
            assert_eq!(find(pointer, r#"{"a": [1, 2]}"#), None, "{pointer}");
        }
    }

    #[test]
    fn a_text_that_is_no_pointer_is_refused() {
        for text in ["a", "a/b", "/~", "/a~2", "/~01~"] {
            let error = text.parse::<Pointer>().unwrap_err();
            assert!(error.to_string().contains("JSON pointer"), "{text}");
        }
    }
}
