//! The ids of users, their names, products and orders. Each of them is a stream.

use std::fmt;

use eventcore::{InvalidValue, StreamField, StreamId};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(StreamId);

        impl $name {
            #[doc = concat!("The one in the stream `", $prefix, "<id>`.")]
            ///
            /// # Errors
            ///
            /// The id is too long, or it contains control characters.
            pub fn new(id: &str) -> Result<Self, InvalidValue> {
                StreamId::new(format!(concat!($prefix, "{}"), id)).map(Self)
            }
        }

        /// Makes it a type for `#[stream]` fields.
        impl StreamField for $name {
            fn stream_id(&self) -> &StreamId {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// A user. The stream says what they are called.
    UserId,
    "user-"
);
id!(
    /// A product. The stream says how many pieces there are.
    ProductId,
    "product-"
);
id!(
    /// An order.
    OrderId,
    "order-"
);

/// A user name, and the stream that says which user has it. `Ada` and `ada` are the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(StreamId);

/// A text is no user name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 3 to 20 letters and digits, not {0:?}")]
pub struct InvalidUserName(String);

impl UserName {
    /// Checks a text and makes it a name.
    ///
    /// # Errors
    ///
    /// It has other characters than letters and digits, or not 3 to 20 of them.
    pub fn new(name: &str) -> Result<Self, InvalidUserName> {
        let invalid = || InvalidUserName(name.to_owned());
        let fits = (3..=20).contains(&name.chars().count());
        if !fits || !name.chars().all(char::is_alphanumeric) {
            return Err(invalid());
        }
        let stream = StreamId::new(format!("user-name-{}", name.to_lowercase()));
        stream.map(Self).map_err(|_| invalid())
    }
}

/// Makes it a type for `#[stream]` fields.
impl StreamField for UserName {
    fn stream_id(&self) -> &StreamId {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str().trim_start_matches("user-name-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_capitals_and_is_3_to_20_letters_and_digits() {
        assert_eq!(
            UserName::new("Ada1").unwrap(),
            UserName::new("aDA1").unwrap()
        );
        for wrong in ["", "ab", "a b c", "ada-1", "abcdefghijklmnopqrstu"] {
            assert!(UserName::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
