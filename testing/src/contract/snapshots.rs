//! Snapshots of commands' states: saved with their versions, and read together with the later
//! events. A store need not keep any; a store that does passes these tests.

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    Append, Command, CommandError, CommandLogic, EventStore, ExecuteOptions, NewEvents,
    RetryPolicy, Snapshot, SnapshotName, Snapshots, StoredEvent, StreamId, StreamVersion, Streams,
    StreamsRead, emit, execute, execute_with,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Counted, add, read, stream, told};

fn name(name: &str) -> SnapshotName {
    SnapshotName::new(name).unwrap()
}

/// A snapshot of the name `sum` of these streams up to these versions, whose state is the versions.
fn snapshot(streams: &[(&str, u64)]) -> Snapshot {
    let versions: Vec<_> = streams.iter().map(|(_, version)| *version).collect();
    let streams = streams
        .iter()
        .map(|(name, version)| (stream(name), StreamVersion::new(*version)));
    Snapshot::new(name("sum"), streams, json!({ "at": versions }))
}

async fn from_snapshot<S: EventStore>(
    store: &S,
    snapshots: &str,
    streams: &[&str],
) -> (Option<Snapshot>, StreamsRead) {
    let streams: Vec<_> = streams.iter().map(|name| stream(name)).collect();
    store
        .read_from_snapshot(&name(snapshots), &streams)
        .await
        .unwrap()
}

pub async fn a_snapshot_is_read_with_what_came_after_it<S: EventStore>(store: &S) {
    for (name, n) in [("a", 1), ("b", 2), ("a", 3)] {
        add(store, name, n).await;
    }
    let (none, all) = from_snapshot(store, "sum", &["b", "a"]).await;
    assert_eq!(none, None);
    assert_eq!(told(&all.events), ["b@1:2", "a@1:1", "a@2:3"]);
    assert_eq!(all.versions, [1, 2].map(StreamVersion::new));

    let kept = snapshot(&[("b", 1), ("a", 1)]);
    store.save_snapshot(&kept).await.unwrap();
    let (found, rest) = from_snapshot(store, "sum", &["b", "a"]).await;
    assert_eq!(found, Some(kept.clone()));
    assert_eq!(told(&rest.events), ["a@2:3"]);
    assert_eq!(rest.versions, [1, 2].map(StreamVersion::new));

    add(store, "b", 4).await;
    let (found, rest) = from_snapshot(store, "sum", &["b", "a"]).await;
    assert_eq!(found, Some(kept));
    assert_eq!(told(&rest.events), ["b@2:4", "a@2:3"]);
    assert_eq!(rest.versions, [2, 2].map(StreamVersion::new));
}

pub async fn a_snapshot_belongs_to_its_name_and_its_streams_in_their_order<S: EventStore>(
    store: &S,
) {
    add(store, "a", 1).await;
    let kept = snapshot(&[("a", 1), ("b", 0)]);
    store.save_snapshot(&kept).await.unwrap();
    for (name, streams) in [
        ("sum-2", &["a", "b"][..]),
        ("sum", &["b", "a"]),
        ("sum", &["a"]),
        ("sum", &["a", "b", "c"]),
    ] {
        let (found, read) = from_snapshot(store, name, streams).await;
        assert_eq!(found, None, "{name} {streams:?}");
        assert_eq!(told(&read.events), ["a@1:1"]);
    }
    assert_eq!(from_snapshot(store, "sum", &["a", "b"]).await.0, Some(kept));
}

pub async fn a_snapshot_gives_way_to_one_that_holds_as_much_of_every_stream<S: EventStore>(
    store: &S,
) {
    for (name, n) in [("a", 1), ("a", 2), ("b", 3)] {
        add(store, name, n).await;
    }
    let mut stands = None;
    for (versions, is_kept) in [
        ((1, 0), true),
        ((0, 1), false),
        ((1, 1), true),
        ((2, 0), false),
        ((2, 1), true),
        ((1, 1), false),
    ] {
        let given = snapshot(&[("a", versions.0), ("b", versions.1)]);
        store.save_snapshot(&given).await.unwrap();
        if is_kept {
            stands = Some(given);
        }
        let (found, _) = from_snapshot(store, "sum", &["a", "b"]).await;
        assert_eq!(found, stands, "{versions:?}");
    }
}

pub async fn a_snapshot_that_cannot_be_is_refused_and_named<S: EventStore>(store: &S) {
    add(store, "a", 1).await;
    for (streams, argument) in [
        (&[][..], "streams"),
        (&[("a", 1), ("a", 1)], "streams"),
        (&[("a", 2)], "versions"),
        (&[("a", 1), ("b", 1)], "versions"),
    ] {
        let error = store.save_snapshot(&snapshot(streams)).await.unwrap_err();
        assert!(error.is_malformed(), "{streams:?}: {error:?}");
        assert_eq!(error.argument(), Some(argument), "{streams:?}");
    }
    assert_eq!(from_snapshot(store, "sum", &["a"]).await.0, None);
}

pub async fn a_state_with_u0000_is_refused_and_any_other_is_kept<S: EventStore>(store: &S) {
    add(store, "a", 1).await;
    let of = |state: Value| Snapshot::new(name("sum"), [(stream("a"), 1.into())], state);
    for state in [json!("a\0b"), json!({ "a\0": 1 })] {
        let error = store.save_snapshot(&of(state)).await.unwrap_err();
        assert!(error.is_malformed(), "{error}");
        assert_eq!(from_snapshot(store, "sum", &["a"]).await.0, None);
    }
    for state in [json!(null), json!(""), json!({ "ü": ["\\u0000", null] })] {
        let kept = of(state);
        store.save_snapshot(&kept).await.unwrap();
        assert_eq!(from_snapshot(store, "sum", &["a"]).await.0, Some(kept));
    }
}

/// Adds up a stream, and writes the sum to another.
#[derive(Command)]
struct AddUp {
    #[stream]
    numbers: StreamId,
    #[stream]
    sum: StreamId,
}

impl CommandLogic for AddUp {
    type State = u64;
    type Event = Counted;

    fn apply(&self, sum: u64, stored: &StoredEvent<Counted>) -> u64 {
        match stored.stream_id == self.numbers {
            true => sum + stored.event.0,
            false => sum,
        }
    }

    fn handle(&self, sum: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(events, streams.sum, Counted(sum));
        Ok(events)
    }

    fn snapshots(&self) -> Option<Snapshots<u64>> {
        Some(Snapshots::named("sum").every(10))
    }
}

/// The snapshot has another state than a fold would give, so that the test sees where the state
/// came from.
pub async fn a_command_goes_on_from_a_snapshot_and_keeps_one<S: EventStore>(store: &S) {
    let add_up = AddUp {
        numbers: stream("numbers"),
        sum: stream("sum"),
    };
    for n in 1..=10 {
        add(store, "numbers", n).await;
    }
    execute(store, &add_up).await.unwrap();
    let (kept, _) = from_snapshot(store, "sum", &["numbers", "sum"]).await;
    let kept = kept.expect("ten events were read, so that a snapshot was due");
    assert_eq!(kept.state, json!(55));
    let forged = Snapshot::new(kept.name, kept.streams, json!(1_000));
    store.save_snapshot(&forged).await.unwrap();

    add(store, "numbers", 5).await;
    execute(store, &add_up).await.unwrap();
    assert_eq!(told(&read(store, "sum").await), ["sum@1:55", "sum@2:1005"]);
}

/// A decision based on a snapshot is checked like any other.
pub async fn a_command_on_a_snapshot_notices_that_its_streams_have_moved<S: EventStore>(store: &S) {
    let add_up = AddUp {
        numbers: stream("numbers"),
        sum: stream("sum"),
    };
    let kept = snapshot(&[("numbers", 0), ("sum", 0)]);
    let kept = Snapshot::new(kept.name, kept.streams, json!(7));
    store.save_snapshot(&kept).await.unwrap();
    let number = eventcore::NewEvent::encode(stream("numbers"), &Counted(1)).unwrap();
    let moved = Append::new()
        .stream(stream("numbers"), Unchecked)
        .event(number);
    store.append(&moved).await.unwrap();
    let done = execute_with(store, &add_up, &ExecuteOptions::new()).await;
    let done = done.unwrap();
    assert_eq!(done.version_of(&stream("numbers")).unwrap().get(), 1);
    assert_eq!(told(&read(store, "sum").await), ["sum@1:8"]);
}

/// Writes the number of events in a stream, including itself.
#[derive(Command)]
struct Count {
    #[stream]
    stream: StreamId,
}

impl CommandLogic for Count {
    type State = u64;
    type Event = Counted;

    fn apply(&self, events: u64, stored: &StoredEvent<Counted>) -> u64 {
        assert_eq!(stored.event, Counted(events + 1));
        events + 1
    }

    fn handle(&self, events: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut new = NewEvents::new();
        emit!(new, streams.stream, Counted(events + 1));
        Ok(new)
    }

    fn snapshots(&self) -> Option<Snapshots<u64>> {
        Some(Snapshots::named("count").every(3))
    }
}

pub async fn commands_with_snapshots_in_a_crowd_decide_as_those_without<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    let options = ExecuteOptions::new().retry(RetryPolicy::default().attempts(1_000));
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let (store, options) = (store.clone(), options.clone());
        tasks.spawn(async move {
            for _ in 0..15 {
                let count = Count {
                    stream: stream("a"),
                };
                execute_with(&store, &count, &options).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let events = read(store, "a").await;
    assert_eq!(events.len(), 90);
    for event in events {
        assert!(event.payload == json!(event.version.get()), "{event:?}");
    }
}
