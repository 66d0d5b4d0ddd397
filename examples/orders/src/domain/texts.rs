//! Texts with a limit: [`ProductId`], [`ProductName`], [`Reason`], [`RequestKey`].

use std::fmt;

use serde::{Deserialize, Serialize};

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
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest one, in characters.
            pub const MAX: usize = $max;

            /// Checks a text.
            ///
            /// # Errors
            ///
            /// It is empty, longer than [`MAX`](Self::MAX), or contains a control character.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidText> {
                let text = text.into();
                let fits = (1..=Self::MAX).contains(&text.chars().count()) && !text.contains(char::is_control);
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
                text.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_neither_empty_nor_too_long_nor_of_several_lines() {
        assert!(ProductId::new("𝕏".repeat(ProductId::MAX)).is_ok());
        for text in ["", "a\nb", &"x".repeat(ProductId::MAX + 1)] {
            assert!(ProductId::new(text).is_err(), "{text:?}");
        }
    }
}
