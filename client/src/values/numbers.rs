//! The numbers: [`StreamVersion`] and [`Position`].

use std::fmt;
use std::str::FromStr;

use eventcore_rules::ExpectedVersion;
use serde::{Deserialize, Serialize};

use super::invalid_value::InvalidValue;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            #[doc = concat!("The ", $what, " with this number.")]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                text.parse().map(Self).map_err(|_| InvalidValue::number($what))
            }
        }
    };
}

number! {
    /// The number of events that a stream has had. Its events have the versions 1, 2, 3, … without
    /// a gap.
    StreamVersion, "stream version"
}

number! {
    /// The place of an event among all events of a store. Readers see events in the order of their
    /// positions. Positions may have gaps.
    Position, "position"
}

impl StreamVersion {
    /// The version of a stream with no event yet.
    pub const EMPTY: Self = Self(0);

    /// The expectation that a stream is at exactly this version.
    pub const fn exactly(self) -> ExpectedVersion {
        ExpectedVersion::Exactly(self.0)
    }
}

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}
