//! `#[upcast]`: old events are converted to current ones before any other code sees them.

use eventcore::ExpectedVersion::Exactly;
use eventcore::{
    Append, Event, EventStore, EventSubscription, Filter, InMemoryEventStore, NewEvent, Payload,
    ReadAll, ReadStream, StreamId, Subscribe,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Of its three versions only this one is known to the rest of the program.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[upcast(from = "Retired", with = upcasts::retired)]
enum AccountEvent {
    #[event(name = "Deposited.v3")]
    #[upcast(from = "Deposited", with = upcasts::deposited_v1)]
    #[upcast(from = "Deposited.v2", with = upcasts::deposited_v2)]
    Deposited {
        cents: u64,
        by: String,
    },
    Closed,
}

mod upcasts {
    use serde::Deserialize;

    use super::AccountEvent;

    #[derive(Deserialize)]
    pub(crate) struct DepositedV1 {
        euros: u64,
    }

    #[derive(Deserialize)]
    pub(crate) struct DepositedV2 {
        cents: u64,
    }

    pub(crate) fn deposited_v1(old: DepositedV1) -> AccountEvent {
        let cents = old.euros * 100;
        deposited_v2(DepositedV2 { cents })
    }

    pub(crate) fn deposited_v2(old: DepositedV2) -> AccountEvent {
        AccountEvent::Deposited {
            cents: old.cents,
            by: "unknown".to_owned(),
        }
    }

    pub(crate) fn retired(_: serde_json::Value) -> AccountEvent {
        AccountEvent::Closed
    }
}

/// A struct takes over from one of another name.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
#[upcast(from = "Sent", with = Self::sent)]
struct Shipped {
    to: String,
}

impl Shipped {
    fn sent(to: String) -> Self {
        Self { to }
    }
}

fn deposited(cents: u64, by: &str) -> AccountEvent {
    let by = by.to_owned();
    AccountEvent::Deposited { cents, by }
}

fn decoded(event_type: &str, payload: Value) -> AccountEvent {
    AccountEvent::decode(event_type, &payload.into()).unwrap()
}

#[test]
fn every_version_is_decoded_as_the_newest() {
    let unknown = || deposited(300, "unknown");
    assert_eq!(decoded("Deposited", json!({"euros": 3})), unknown());
    assert_eq!(decoded("Deposited.v2", json!({"cents": 300})), unknown());
    let newest = json!({"cents": 300, "by": "Ada"});
    assert_eq!(decoded("Deposited.v3", newest), deposited(300, "Ada"));
    assert_eq!(decoded("Retired", json!({})), AccountEvent::Closed);
    let sent: Payload = json!("Ada").into();
    let shipped = Shipped::decode("Sent", &sent).unwrap();
    assert_eq!(shipped, Shipped { to: "Ada".into() });
}

#[test]
fn only_the_newest_version_is_written() {
    let event = decoded("Deposited", json!({"euros": 3}));
    assert_eq!(event.event_type(), "Deposited.v3");
    assert_eq!(
        event.encode().unwrap(),
        json!({"cents": 300, "by": "unknown"})
    );
}

#[test]
fn a_payload_that_does_not_fit_the_old_version_is_an_error_under_the_old_name() {
    let newest: Payload = json!({"cents": 300, "by": "Ada"}).into();
    let error = AccountEvent::decode("Deposited", &newest).unwrap_err();
    assert_eq!(error.event_type(), "Deposited");
    assert!(!error.is_unknown_type());
    let unknown = AccountEvent::decode("Deposited.v4", &newest).unwrap_err();
    assert!(unknown.is_unknown_type());
}

#[test]
fn all_names_are_known_those_of_the_past_included() {
    let mut names = AccountEvent::event_types().to_vec();
    names.sort_unstable();
    let known = [
        "Closed",
        "Deposited",
        "Deposited.v2",
        "Deposited.v3",
        "Retired",
    ];
    assert_eq!(names, known);
    assert_eq!(Shipped::event_types(), ["Shipped", "Sent"]);
}

#[tokio::test]
async fn a_filter_for_a_type_lets_its_old_events_through_and_no_others() {
    let store = InMemoryEventStore::new();
    let stream: StreamId = "account-1".parse().unwrap();
    let event =
        |name: &str, payload: Value| NewEvent::new(stream.clone(), name.parse().unwrap(), payload);
    let append = Append::new()
        .stream(stream.clone(), Exactly(0))
        .event(event("Deposited", json!({"euros": 3})))
        .event(event("Shipped", json!({"to": "Ada"})))
        .event(event("Closed", json!({})));
    store.append(&append).await.unwrap();

    let filter = Filter::all().events_of::<AccountEvent>();
    let read = ReadAll::new().filter(filter.clone());
    let types: Vec<_> = store.read_all(&read).await.unwrap();
    let types: Vec<_> = types
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(types, ["Deposited", "Closed"]);

    let subscribe = Subscribe::from_start().filter(filter);
    let mut typed = store.subscribe(subscribe).typed::<AccountEvent>();
    assert_eq!(
        typed.next_event().await.unwrap().event,
        deposited(300, "unknown")
    );
    assert_eq!(
        typed.next_event().await.unwrap().event,
        AccountEvent::Closed
    );
    let all = store.read_stream(&ReadStream::new(stream)).await.unwrap();
    assert_eq!(all.len(), 3);
}
