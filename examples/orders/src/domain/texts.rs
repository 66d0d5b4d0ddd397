//! Texts with a limit: [`ProductId`], [`ProductName`], [`Reason`], [`RequestKey`].

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is empty, too long, or contains a control character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must have 1 to {max} characters, none of which is a control character")]
pub struct InvalidText {
    what: &'static str,
    max: usize,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        ///
        /// A clone is cheap: it shares the text.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest one, in characters.
            pub const MAX: usize = $max;

            /// Checks a text.
            ///
            /// # Errors
            ///
            /// It is empty, longer than [`MAX`](Self::MAX), or contains a control character.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidText> {
                let text = text.into();
                let fits = (1..=Self::MAX).contains(&text.chars().count()) && !has_control(&text);
                match fits {
                    true => Ok(Self(text)),
                    false => Err(InvalidText { what: $what, max: Self::MAX }),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                String::from(&*text.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = deserializer.deserialize_str(Text($what))?;
                Self::new(text).map_err(de::Error::custom)
            }
        }
    };
}

text! {
    /// What a product is ordered by, such as `SKU-001`. With 4 bytes for each character it still fits
    /// into the name of a stream.
    ProductId, "a product id", 50
}

text! {
    /// What a product is called.
    ProductName, "a product name", 200
}

text! {
    /// Why an order was cancelled, or who did it.
    Reason, "a reason", 500
}

text! {
    /// The `Idempotency-Key` of a request.
    RequestKey, "an idempotency key", 200
}

/// Whether a text contains a control character. Most texts are ASCII, which is looked through faster.
fn has_control(text: &str) -> bool {
    match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.contains(char::is_control),
    }
}

/// Takes a text as it is read, without a copy in between.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Arc<str>, E> {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_neither_empty_nor_too_long_nor_of_several_lines() {
        assert!(ProductId::new("𝕏".repeat(ProductId::MAX)).is_ok());
        for text in ["", "a\nb", "ä\u{85}", &"x".repeat(ProductId::MAX + 1)] {
            assert!(ProductId::new(text).is_err(), "{text:?}");
        }
    }
}
