//! `#[stream]` in an event: the event names its stream and cannot be written to another.

use eventcore::{
    Command, CommandError, CommandLogic, Event, InMemoryEventStore, NewEvent, NewEvents,
    StoredEvent, StreamField, StreamId, Streams, emit, execute,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OrderId(StreamId);

impl StreamField for OrderId {
    fn stream_id(&self) -> &StreamId {
        &self.0
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum OrderEvent {
    Opened {
        #[stream]
        order: OrderId,
        by: String,
    },
    Closed(u8, #[stream] StreamId),
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
struct Shipped<T> {
    what: T,
    #[stream]
    r#in: StreamId,
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Silent;

fn stream(name: &str) -> StreamId {
    name.parse().unwrap()
}

fn opened(name: &str) -> OrderEvent {
    OrderEvent::Opened {
        order: OrderId(stream(name)),
        by: "Ada".into(),
    }
}

#[test]
fn an_event_names_its_stream_by_the_marked_field() {
    assert_eq!(opened("order-1").stream_id(), Some(&stream("order-1")));
    let closed = OrderEvent::Closed(1, stream("order-2"));
    assert_eq!(closed.stream_id(), Some(&stream("order-2")));
    let shipped = Shipped {
        what: 7,
        r#in: stream("order-3"),
    };
    assert_eq!(shipped.stream_id(), Some(&stream("order-3")));
    assert_eq!(Silent.stream_id(), None);
}

#[test]
fn the_marked_field_stays_in_the_payload() {
    let payload = opened("order-1").encode().unwrap();
    assert_eq!(payload, json!({"order": "order-1", "by": "Ada"}));
    let decoded = OrderEvent::decode("Opened", &payload).unwrap();
    assert_eq!(decoded, opened("order-1"));
}

#[test]
fn an_event_is_not_made_for_another_stream_than_it_names() {
    assert!(NewEvent::encode(stream("order-1"), &opened("order-1")).is_ok());
    assert!(NewEvent::encode(stream("anything"), &Silent).is_ok());
    let error = NewEvent::encode(stream("order-2"), &opened("order-1")).unwrap_err();
    assert!(error.is_other_stream() && !error.is_unknown_type());
    assert_eq!(
        error.to_string(),
        "an event of type \"Opened\" that names the stream \"order-1\" cannot be written to \"order-2\""
    );
}

#[derive(Command)]
struct Open {
    #[stream]
    order: StreamId,
    /// Of the event.
    named: &'static str,
}

impl CommandLogic for Open {
    type State = ();
    type Event = OrderEvent;

    fn apply(&self, _: (), _: &StoredEvent<OrderEvent>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(events, streams.order, opened(self.named));
        Ok(events)
    }
}

#[tokio::test]
async fn a_command_cannot_write_an_event_to_another_stream_than_it_names() {
    let store = InMemoryEventStore::new();
    let open = |named| Open {
        order: stream("order-1"),
        named,
    };
    let error = execute(&store, &open("order-2")).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("order-2"), "{error}: {source}");
    assert!(execute(&store, &open("order-1")).await.unwrap().wrote());
}
