//! Names: of streams, event types, subscriptions, consumers, projections, snapshots and processes.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use eventcore_rules::check_name;
use serde::{Deserialize, Serialize, Serializer};

use super::invalid_value::InvalidValue;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// 1 to 255 bytes of UTF-8 without ASCII control characters. A clone is cheap: it shares
        /// the text.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Checks a text and makes it a ", $what, ".")]
            ///
            /// # Errors
            ///
            /// The text is empty, longer than 255 bytes, or contains an ASCII control character.
            pub fn new(value: impl Into<Arc<str>>) -> Result<Self, InvalidValue> {
                let value = value.into();
                match check_name(value.as_bytes()) {
                    Ok(()) => Ok(Self(value)),
                    Err(reason) => Err(InvalidValue::name($what, reason)),
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

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(value: &str) -> Result<Self, InvalidValue> {
                Self::new(value)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidValue;

            fn try_from(value: &str) -> Result<Self, InvalidValue> {
                Self::new(value)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(value: String) -> Result<Self, InvalidValue> {
                Self::new(value)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                String::from(&*name.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

name! {
    /// The name of a stream, for example `account-7`.
    StreamId, "stream id"
}

name! {
    /// The name that an event is stored under, for example `Deposited`.
    EventType, "event type"
}

thread_local! {
    /// The event types that this thread made last, the newest at the end.
    static RECENT: RefCell<Vec<EventType>> = const { RefCell::new(Vec::new()) };
}

impl EventType {
    /// How many event types a thread keeps.
    const RECENT: usize = 16;

    /// Like [`new`](Self::new), but events with the same name share its text. A program encodes its
    /// events under few names, so a short list per thread is enough.
    pub(crate) fn recent(name: &str) -> Result<Self, InvalidValue> {
        let again = RECENT.try_with(|recent| {
            let mut recent = recent.borrow_mut();
            if let Some(found) = recent.iter().rev().find(|recent| recent.as_str() == name) {
                return Ok(found.clone());
            }
            let new = Self::new(name)?;
            if recent.len() == Self::RECENT {
                recent.remove(0);
            }
            recent.push(new.clone());
            Ok(new)
        });
        again.unwrap_or_else(|_| Self::new(name))
    }
}

name! {
    /// The name of a durable subscription, for example `mails`.
    SubscriptionName, "subscription name"
}

name! {
    /// The name of a consumer of a durable subscription. Operators see which consumer holds an
    /// event. Several consumers may have the same name.
    ConsumerName, "consumer name"
}

name! {
    /// The name of a projection and of its checkpoint, for example `balances`.
    ProjectionName, "projection name"
}

name! {
    /// The name of the snapshots of one kind of state, for example `balance-1`.
    SnapshotName, "snapshot name"
}

name! {
    /// The name of one process of a [`ProcessManager`](crate::ProcessManager), for example the id
    /// of the order that the process handles.
    ProcessId, "process id"
}
