//! The code that `#[derive(Command)]` generates for fields, generics and visibility.

use eventcore::{
    Command, CommandError, CommandLogic, Event, InMemoryEventStore, NewEvents, StoredEvent,
    StreamField, StreamId, Streams, emit, execute,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
struct Touched;

/// A newtype can be a stream too.
struct ProductId(StreamId);

impl StreamField for ProductId {
    fn stream_id(&self) -> &StreamId {
        &self.0
    }
}

#[derive(Command)]
struct Touch<'a, T: Copy, const N: usize>
where
    T: Into<u64> + Send + Sync,
{
    #[stream]
    r#type: StreamId,
    #[stream]
    others: Vec<StreamId>,
    #[stream]
    maybe: std::option::Option<StreamId>,
    #[stream]
    products: Vec<ProductId>,
    #[stream]
    _only_read: StreamId,
    label: &'a str,
    values: [T; N],
}

impl<T: Copy, const N: usize> CommandLogic for Touch<'_, T, N>
where
    T: Into<u64> + Send + Sync,
{
    type State = Vec<StreamId>;
    type Event = Touched;

    fn apply(&self, mut seen: Vec<StreamId>, stored: &StoredEvent<Touched>) -> Vec<StreamId> {
        seen.push(stored.stream_id.clone());
        seen
    }

    fn handle(
        &self,
        _: Vec<StreamId>,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        if self.label.is_empty() || self.values.iter().any(|value| (*value).into() == 0) {
            return Ok(events);
        }
        emit!(events, streams.r#type, Touched);
        for other in &streams.others {
            emit!(events, other, Touched);
        }
        if let Some(maybe) = &streams.maybe {
            emit!(events, maybe, Touched);
        }
        emit!(events, streams.products[0], Touched);
        Ok(events)
    }
}

fn stream(id: &str) -> StreamId {
    StreamId::new(id).unwrap()
}

#[tokio::test]
async fn every_field_marked_as_stream_is_declared_once_in_order_and_can_be_written_to() {
    let store = InMemoryEventStore::new();
    let touch = |maybe: Option<StreamId>| Touch {
        r#type: stream("type"),
        others: vec![stream("other-1"), stream("other-2"), stream("type")],
        maybe,
        products: vec![ProductId(stream("product"))],
        _only_read: stream("only-read"),
        label: "x",
        values: [1_u32, 2],
    };
    let done = execute(&store, &touch(None)).await.unwrap();
    let versions: Vec<_> = done
        .versions
        .iter()
        .map(|(stream, version)| (stream.as_str(), version.get()))
        .collect();
    assert_eq!(
        versions,
        [
            ("type", 2),
            ("other-1", 1),
            ("other-2", 1),
            ("product", 1),
            ("only-read", 0)
        ]
    );
    let done = execute(&store, &touch(Some(stream("maybe"))))
        .await
        .unwrap();
    assert_eq!(done.version_of(&stream("maybe")).unwrap().get(), 1);
    assert_eq!(done.versions.len(), 6);
}

mod elsewhere {
    use eventcore::{Command, StreamId};

    #[derive(Command)]
    pub(crate) struct Visible {
        #[stream]
        pub(crate) one: StreamId,
    }
}

#[test]
fn the_handles_are_as_visible_as_the_command() {
    fn handles(streams: &elsewhere::VisibleStreams) -> &StreamId {
        streams.one.id()
    }
    let _ = handles;
    let _ = elsewhere::Visible { one: stream("a") };
}

/// A macro puts the type of a field in a group.
#[test]
fn a_command_may_be_written_by_a_macro() {
    macro_rules! command {
        ($name:ident { $($field:ident: $type:ty),* }) => {
            #[derive(Command)]
            struct $name {
                $(#[stream] $field: $type,)*
            }
        };
    }
    command!(Written { one: StreamId, maybe: Option<StreamId>, many: Vec<StreamId> });
    let written = Written {
        one: stream("a"),
        maybe: Some(stream("b")),
        many: vec![stream("c")],
    };
    assert_eq!(eventcore::CommandStreams::command_name(&written), "Written");
}
