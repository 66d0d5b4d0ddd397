//! [`event_union!`]: one event type for streams of several kinds, made of their event types.

/// Defines an enum with a variant for each event type. Its [`Event`](eventcore::Event) delegates to
/// the variant's: the stored events are the same.
macro_rules! event_union {
    ($(#[$doc:meta])* $union:ident { $($(#[$variant_doc:meta])* $variant:ident($event:ident)),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $union {
            $($(#[$variant_doc])* $variant($event),)*
        }

        impl eventcore::Event for $union {
            fn event_type(&self) -> &str {
                match self {
                    $(Self::$variant(event) => event.event_type(),)*
                }
            }

            fn encode(&self) -> Result<eventcore::Payload, eventcore::EventError> {
                match self {
                    $(Self::$variant(event) => event.encode(),)*
                }
            }

            fn decode(
                event_type: &str,
                payload: &eventcore::Payload,
            ) -> Result<Self, eventcore::EventError> {
                $(if $event::event_types().contains(&event_type) {
                    return $event::decode(event_type, payload).map(Self::$variant);
                })*
                Err(eventcore::EventError::unknown_type(event_type))
            }
        }

        $(impl From<$event> for $union {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        })*
    };
}

pub(super) use event_union;
