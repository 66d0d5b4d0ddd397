//! UUIDs: of events, of operations, of causes and of leases.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::invalid_value::InvalidValue;
use super::uuid_v7;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: a UUIDv7 of this moment.
            #[allow(clippy::new_without_default, reason = "every one is different")]
            pub fn new() -> Self {
                Self(uuid_v7::new())
            }

            /// The id with this UUID. Other programs may use other UUID versions than 7.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                text.parse().map(Self).map_err(|_| InvalidValue::uuid($what))
            }
        }
    };
}

id! {
    /// The identity of an event. An append can be repeated safely because it is sent with the same
    /// event ids.
    EventId, "event id"
}

id! {
    /// One logical operation, however many commands and events it takes.
    CorrelationId, "correlation id"
}

id! {
    /// What directly caused an event: usually the execution of a command.
    CausationId, "causation id"
}

id! {
    /// One lease: what one poll of a durable subscription gave to a consumer.
    LeaseId, "lease id"
}
