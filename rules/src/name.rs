//! Names: stream ids and event types follow the same rule.

use std::fmt;

/// The longest stream id or event type, in bytes of UTF-8. Short enough that an index entry always
/// fits on a page, long enough for a prefix and two UUIDs.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a text is not a valid stream id or event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidName {
    /// It is empty.
    Empty,
    /// It has more than [`MAX_NAME_BYTES`] bytes; contains the number of bytes.
    TooLong(usize),
    /// It has an ASCII control character (U+0000 to U+001F, U+007F) at this byte.
    ControlCharacter(usize),
}

/// Checks a stream id or an event type: 1 to [`MAX_NAME_BYTES`] bytes, no ASCII control characters.
///
/// Takes bytes, because the server stores text as bytes. They must be valid UTF-8.
pub fn check_name(name: &[u8]) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(InvalidName::TooLong(name.len()));
    }
    match name.iter().position(u8::is_ascii_control) {
        Some(at) => Err(InvalidName::ControlCharacter(at)),
        None => Ok(()),
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "is empty"),
            Self::TooLong(bytes) => {
                write!(
                    f,
                    "has {bytes} bytes, more than the {MAX_NAME_BYTES} allowed"
                )
            }
            Self::ControlCharacter(at) => write!(f, "has a control character at byte {at}"),
        }
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_255_bytes() {
        assert_eq!(check_name(b""), Err(InvalidName::Empty));
        assert_eq!(check_name(b"a"), Ok(()));
        assert_eq!(check_name(&[b'a'; 255]), Ok(()));
        assert_eq!(check_name(&[b'a'; 256]), Err(InvalidName::TooLong(256)));
        assert_eq!(
            check_name("ü".repeat(128).as_bytes()),
            Err(InvalidName::TooLong(256))
        );
    }

    #[test]
    fn a_name_has_no_control_characters_and_anything_else_goes() {
        assert_eq!(check_name(b"a\nb"), Err(InvalidName::ControlCharacter(1)));
        assert_eq!(check_name(b"\0"), Err(InvalidName::ControlCharacter(0)));
        assert_eq!(check_name(b"a\x7f"), Err(InvalidName::ControlCharacter(1)));
        assert_eq!(check_name("konto ü/%_*'\"; 🦀".as_bytes()), Ok(()));
    }
}
