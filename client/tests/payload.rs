//! Payloads: JSON text, valid by construction, compared by value.

use std::collections::BTreeMap;
use std::error::Error;

use eventcore::ExpectedVersion::{Exactly, Unchecked};
use eventcore::{Append, EventStore, InMemoryEventStore, NewEvent, Payload, ReadAll, StoreError};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn parse(text: &str) -> Payload {
    text.parse().unwrap()
}

fn append(payload: impl Into<Payload>) -> Append {
    let stream: eventcore::StreamId = "a".parse().unwrap();
    let event = NewEvent::new(stream.clone(), "Happened".parse().unwrap(), payload);
    Append::new().stream(stream, Unchecked).event(event)
}

fn reason(error: &StoreError) -> String {
    assert_eq!(error.to_string(), "element 0 of payloads is malformed");
    error.source().unwrap().to_string()
}

#[test]
fn a_text_is_kept_as_it_is_but_for_space_around_it() {
    let text = r#"{"amount": 1.50, "huge": 123456789012345678901234567890}"#;
    assert_eq!(parse(&format!(" \n{text}\t")).as_str(), text);
    assert_eq!(parse(text).to_string(), text);
    assert_eq!(format!("{:?}", parse("[1]")), "Payload([1])");
}

#[test]
fn a_text_that_is_no_json_makes_no_payload() {
    for text in [
        "",
        " ",
        "{",
        "{'a': 1}",
        "1 2",
        "nul",
        "\"\\ud800\"",
        "\"\n\"",
    ] {
        let error = Payload::try_from(text.to_owned()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid payload: it is not JSON",
            "{text}"
        );
    }
}

#[test]
fn payloads_are_equal_when_they_are_the_same_value() {
    assert_eq!(parse(r#"{"a":1,"b":[]}"#), parse(r#"{ "b": [], "a": 1 }"#));
    assert_eq!(parse(r#""ü""#), parse(r#""\u00fc""#));
    assert_ne!(parse("[1, 2]"), parse("[2, 1]"));
    assert_eq!(parse("[1, 2]"), json!([1, 2]));
    assert_ne!(parse("[1, 2]"), json!([1]));
}

#[test]
fn a_value_goes_in_and_comes_out() {
    let value = json!({"text": "a\"\\\u{1F980}", "none": null, "list": [1, -2.5, true]});
    assert_eq!(
        Payload::from(value.clone()).decode::<Value>().unwrap(),
        value
    );
    let lent = parse(r#"["lent"]"#);
    assert_eq!(lent.decode::<Vec<&str>>().unwrap(), ["lent"]);
    assert!(lent.decode::<u8>().is_err());
    assert!(Payload::encode(&BTreeMap::from([((1, 2), 3)])).is_err());
}

#[test]
fn a_payload_in_a_message_is_the_value_itself() {
    let message = serde_json::to_string(&[parse(r#"{"cents": 5}"#)]).unwrap();
    assert_eq!(message, r#"[{"cents":5}]"#);
    let read: Vec<Payload> = serde_json::from_str(&message).unwrap();
    assert_eq!(read, [json!({"cents": 5})]);
}

#[test]
fn what_is_encoded_may_itself_encode_a_payload() {
    struct Outer;
    impl Serialize for Outer {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = Payload::encode("inner").map_err(serde::ser::Error::custom)?;
            serializer.collect_str(&inner)
        }
    }
    assert_eq!(
        Payload::encode(&[Outer]).unwrap().as_str(),
        r#"["\"inner\""]"#
    );
}

#[tokio::test]
async fn the_character_nul_is_refused_and_the_text_backslash_u0000_is_not() {
    let store = InMemoryEventStore::new();
    for nul in [
        r#""\u0000""#,
        r#""\\\u0000""#,
        r#"["\\u0000", {"\u0000": 1}]"#,
    ] {
        let error = store.append(&append(parse(nul))).await.unwrap_err();
        assert_eq!(reason(&error), "has a character U+0000", "{nul}");
    }
    for none in [r#""\\u0000""#, r#""\\\\u0000""#, r#""\u0001 u0000""#] {
        store.append(&append(parse(none))).await.unwrap();
    }
    let null = store.append(&append(parse(" null "))).await.unwrap_err();
    assert_eq!(reason(&null), "is JSON null");
}

#[test]
fn a_raw_value_becomes_a_payload_as_it_is_written() {
    let raw: Box<RawValue> = serde_json::from_str(r#" { "n": 1.00 } "#).unwrap();
    assert_eq!(Payload::from(&*raw).as_str(), r#"{ "n": 1.00 }"#);
}

#[tokio::test]
async fn the_same_value_written_otherwise_is_a_repeat() {
    let store = InMemoryEventStore::new();
    let mut sent = append(parse(r#"{"a": 1, "b": 2}"#));
    sent.streams[0].1 = Exactly(0);
    store.append(&sent).await.unwrap();
    sent.events[0].payload = parse(r#"{"b":2,"a":1}"#);
    assert!(store.append(&sent).await.unwrap().repeated);
    sent.events[0].payload = parse(r#"{"b":2,"a":2}"#);
    assert!(
        store
            .append(&sent)
            .await
            .unwrap_err()
            .is_idempotency_mismatch()
    );
    assert_eq!(store.read_all(&ReadAll::new()).await.unwrap().len(), 1);
}
