//! The stored form of events with `#[derive(Event)]`, and reading it back.

use eventcore::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
enum OrderEvent {
    Opened,
    Placed {
        line_count: u32,
        #[serde(default)]
        note: Option<String>,
    },
    #[event(name = "PriceAgreed")]
    #[serde(rename = "whatever")]
    Priced(Price),
    Moved(String, u8),
    Empty {},
    r#Type {
        r#type: u8,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Price {
    cents: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "Shipped.v1")]
struct Shipped {
    to: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
struct Closed;

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
struct Tagged<T> {
    value: T,
}

fn stored_as<E: Event + PartialEq + std::fmt::Debug>(event: E, name: &str, payload: Value) {
    assert_eq!(event.event_type(), name);
    assert_eq!(event.encode().unwrap(), payload);
    assert_eq!(E::decode(name, &payload.into()).unwrap(), event);
}

#[test]
fn a_variant_is_stored_under_its_name_with_its_fields() {
    use OrderEvent::*;
    stored_as(Opened, "Opened", json!({}));
    stored_as(
        Placed {
            line_count: 2,
            note: None,
        },
        "Placed",
        json!({"lineCount": 2, "note": null}),
    );
    stored_as(
        Priced(Price { cents: 5 }),
        "PriceAgreed",
        json!({ "cents": 5 }),
    );
    stored_as(Moved("x".into(), 1), "Moved", json!(["x", 1]));
    stored_as(Empty {}, "Empty", json!({}));
    stored_as(r#Type { r#type: 1 }, "Type", json!({ "type": 1 }));
}

#[test]
fn a_struct_is_stored_under_its_name_with_its_fields() {
    stored_as(
        Shipped { to: "Ada".into() },
        "Shipped.v1",
        json!({ "to": "Ada" }),
    );
    stored_as(Closed, "Closed", json!({}));
    stored_as(Tagged { value: 7_u8 }, "Tagged", json!({ "value": 7 }));
}

#[test]
fn a_field_that_was_added_later_takes_its_default() {
    let placed = OrderEvent::decode("Placed", &json!({ "lineCount": 1 }).into()).unwrap();
    assert_eq!(
        placed,
        OrderEvent::Placed {
            line_count: 1,
            note: None
        }
    );
}

#[test]
fn an_unknown_type_and_a_wrong_payload_are_told_apart() {
    let unknown = OrderEvent::decode("Nonesuch", &json!({}).into()).unwrap_err();
    assert!(unknown.is_unknown_type());
    assert_eq!(unknown.to_string(), "unknown event type \"Nonesuch\"");
    let wrong = OrderEvent::decode("Placed", &json!({ "lineCount": "two" }).into()).unwrap_err();
    assert!(!wrong.is_unknown_type());
    assert_eq!(wrong.event_type(), "Placed");
    assert!(std::error::Error::source(&wrong).is_some());
    assert!(
        Shipped::decode("Closed", &json!({}).into())
            .unwrap_err()
            .is_unknown_type()
    );
}

#[test]
fn a_payload_that_would_be_null_is_refused() {
    #[derive(Serialize, Deserialize, Event)]
    enum Maybe {
        Known(Option<u8>),
    }
    assert!(Maybe::Known(None).encode().is_err());
    assert_eq!(Maybe::Known(Some(1)).encode().unwrap(), json!(1));
}

#[test]
fn fields_are_stored_in_the_order_of_their_declaration_and_skipped_ones_not_at_all() {
    #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
    enum Sorted {
        Fields {
            z: u8,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            none: Option<u8>,
            a: u8,
        },
        Number(u64),
    }
    let event = Sorted::Fields {
        z: 1,
        none: None,
        a: 2,
    };
    assert_eq!(event.encode().unwrap().as_str(), r#"{"z":1,"a":2}"#);
    stored_as(event, "Fields", json!({"z": 1, "a": 2}));
    stored_as(Sorted::Number(u64::MAX), "Number", json!(u64::MAX));
}

#[test]
fn a_type_that_serializes_itself_by_hand_is_stored_without_the_name_of_the_variant() {
    /// Written as one entry of a map, or as text: no variant in the sense of serde.
    #[derive(Debug, PartialEq, Deserialize, Event)]
    enum ByHand {
        Entry { cents: u8 },
        Text(String),
    }
    impl Serialize for ByHand {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Entry { cents } => {
                    serializer.collect_map([("Entry", json!({"cents": cents}))])
                }
                Self::Text(text) => serializer.serialize_str(text),
            }
        }
    }
    stored_as(ByHand::Entry { cents: 5 }, "Entry", json!({"cents": 5}));
    stored_as(ByHand::Text("x".into()), "Text", json!("x"));
}

#[test]
fn what_cannot_be_written_as_json_is_an_error_that_names_the_event() {
    #[derive(Serialize, Deserialize, Event)]
    enum Odd {
        Keys(std::collections::BTreeMap<(u8, u8), u8>),
        Nested {
            list: Vec<Option<std::collections::BTreeMap<(u8, u8), u8>>>,
        },
    }
    let map = std::collections::BTreeMap::from([((1, 2), 3)]);
    let nested = Odd::Nested {
        list: vec![None, Some(map.clone())],
    };
    for event in [Odd::Keys(map), nested] {
        let error = event.encode().unwrap_err();
        assert_eq!(error.event_type(), event.event_type());
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "key must be a string");
    }
}

#[test]
fn what_a_type_writes_by_hand_and_cannot_read_is_not_stored() {
    /// Written flat, so that nothing tells the content from the name.
    #[derive(Debug, Event)]
    enum Flat {
        Entry { cents: u8 },
    }
    impl Serialize for Flat {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let Self::Entry { cents } = self;
            serializer.collect_map([("cents", cents)])
        }
    }
    impl<'de> Deserialize<'de> for Flat {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let fields = std::collections::BTreeMap::<String, u8>::deserialize(deserializer)?;
            Ok(Self::Entry {
                cents: fields["cents"],
            })
        }
    }
    let error = Flat::Entry { cents: 5 }.encode().unwrap_err();
    assert_eq!(error.event_type(), "Entry");
}
