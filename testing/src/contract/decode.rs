//! Events that are decoded as the wrong type.

use std::error::Error;

use eventcore::{Event, EventStore, Metadata};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{add_as, read};

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum OrderEvent {
    Placed { lines: u32 },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Note {
    by: String,
}

pub async fn an_event_of_an_unknown_type_is_an_error_that_names_the_type<S>(store: &S)
where
    S: EventStore,
{
    add_as(store, "a", "Cancelled", json!({ "lines": 1 })).await;
    let error = read(store, "a")
        .await
        .remove(0)
        .decode::<OrderEvent>()
        .unwrap_err();
    assert!(error.is_unknown_type());
    assert_eq!(error.event_type(), "Cancelled");
    assert!(error.to_string().contains("Cancelled"), "{error}");
}

pub async fn an_event_of_another_shape_is_an_error_that_names_the_type_and_the_reason<S>(store: &S)
where
    S: EventStore,
{
    let wrong = [
        json!({ "lines": "two" }),
        json!({}),
        json!([]),
        json!("x"),
        json!({ "lines": -1 }),
    ];
    for payload in wrong {
        add_as(store, "a", "Placed", payload).await;
    }
    for stored in read(store, "a").await {
        let error = stored.decode::<OrderEvent>().unwrap_err();
        assert!(!error.is_unknown_type());
        assert_eq!(error.event_type(), "Placed");
        assert!(error.to_string().contains("Placed"), "{error}");
        assert!(error.source().is_some());
    }
}

pub async fn events_and_metadata_are_read_as_types_of_the_callers<S>(store: &S)
where
    S: EventStore,
{
    let placed = OrderEvent::Placed { lines: 3 };
    for metadata in [None, Some(json!({ "by": "ada" })), Some(json!({ "of": 1 }))] {
        let mut event = eventcore::NewEvent::encode(super::stream("a"), &placed).unwrap();
        event.metadata = metadata.map(|metadata| Metadata::encode(&metadata).unwrap());
        let append = super::declare(&[("a", eventcore::ExpectedVersion::Unchecked)]).event(event);
        store.append(&append).await.unwrap();
    }
    let read = read(store, "a").await;
    let decoded: Vec<_> = read
        .iter()
        .map(|stored| stored.clone().decode_with::<OrderEvent, Note>())
        .collect();
    let [bare, noted, other] = &decoded[..] else {
        panic!("{decoded:?}")
    };
    assert_eq!(bare.as_ref().unwrap().metadata, None);
    let noted = noted.as_ref().unwrap();
    assert_eq!(
        (&noted.event, &noted.metadata),
        (&placed, &Some(Note { by: "ada".into() }))
    );
    assert_eq!(noted.recorded_at, read[1].recorded_at);
    assert!(!other.as_ref().unwrap_err().is_unknown_type());
}
