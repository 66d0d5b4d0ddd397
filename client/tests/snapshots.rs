//! Commands whose states are saved in the store or cached in the process.

mod support;
#[path = "support/watched.rs"]
mod watched;

use eventcore::{
    Command, CommandError, CommandLogic, Event, ExecuteOptions, NewEvents, Snapshot, Snapshots,
    StateCache, StoredEvent, StreamId, StreamVersion, Streams, emit, execute, execute_with,
    require,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::stream;
use watched::{Call, Watched, write};

#[derive(Debug, Serialize, Deserialize, Event)]
enum CountEvent {
    Counted { n: u64 },
    Sum { n: u64 },
}

/// Adds up all numbers of its streams, and writes the sum, which is not counted.
#[derive(Command)]
struct AddUp {
    #[stream]
    streams: Vec<StreamId>,
    snapshots: fn() -> Snapshots<u64>,
    refuses: bool,
}

impl CommandLogic for AddUp {
    type State = u64;
    type Event = CountEvent;

    fn apply(&self, sum: u64, stored: &StoredEvent<CountEvent>) -> u64 {
        match stored.event {
            CountEvent::Counted { n } => sum + n,
            CountEvent::Sum { .. } => sum,
        }
    }

    fn handle(&self, sum: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        require!(!self.refuses, "no");
        let mut events = NewEvents::new();
        emit!(events, streams.streams[0], CountEvent::Sum { n: sum });
        Ok(events)
    }

    fn snapshots(&self) -> Option<Snapshots<u64>> {
        Some((self.snapshots)())
    }
}

fn add_up(snapshots: fn() -> Snapshots<u64>) -> AddUp {
    AddUp {
        streams: vec![stream("a"), stream("b")],
        snapshots,
        refuses: false,
    }
}

fn every_4() -> Snapshots<u64> {
    Snapshots::named("sum").every(4)
}

fn read_from(versions: Option<[u64; 2]>) -> Call {
    let versions = versions.map(|versions| versions.to_vec());
    Call::ReadFromSnapshot(vec!["a".to_owned(), "b".to_owned()], versions)
}

fn read(a: u64, b: u64) -> Call {
    Call::Read(vec![("a".to_owned(), a), ("b".to_owned(), b)])
}

/// The sum that the command writes.
async fn sum(store: &Watched, command: &AddUp, options: &ExecuteOptions) -> u64 {
    let done = execute_with(store, command, options).await.unwrap();
    let version = done.version_of(&stream("a")).unwrap().get();
    let read = eventcore::ReadStream::new(stream("a")).after(StreamVersion::new(version - 1));
    let events = eventcore::EventStore::read_stream(store, &read)
        .await
        .unwrap();
    match events[0].clone().decode::<CountEvent>().unwrap().event {
        CountEvent::Sum { n } => n,
        CountEvent::Counted { .. } => panic!("it writes a sum"),
    }
}

#[tokio::test]
async fn a_snapshot_is_taken_when_the_policy_says_so_and_only_what_is_new_is_read() {
    let store = Watched::default();
    let (command, options) = (add_up(every_4), ExecuteOptions::new());
    for (name, n) in [("a", 1), ("b", 10), ("b", 100)] {
        write(store.inner(), name, "Counted", n);
    }
    assert_eq!(sum(&store, &command, &options).await, 111);
    assert_eq!(store.interceptor().calls(), [read_from(None), Call::Append]);
    // Now there are 4 to read: two numbers and a sum more.
    assert_eq!(sum(&store, &command, &options).await, 111);
    assert_eq!(
        store.interceptor().calls(),
        [read_from(None), Call::Append, Call::SaveSnapshot]
    );
    write(store.inner(), "b", "Counted", 1_000);
    assert_eq!(sum(&store, &command, &options).await, 1_111);
    assert_eq!(
        store.interceptor().calls(),
        [read_from(Some([2, 2])), Call::Append]
    );
}

#[tokio::test]
async fn a_snapshot_of_another_name_or_of_other_streams_is_not_used() {
    let store = Watched::default();
    let options = ExecuteOptions::new();
    write(store.inner(), "b", "Counted", 1);
    sum(
        &store,
        &add_up(|| Snapshots::named("sum").every(1)),
        &options,
    )
    .await;
    store.interceptor().calls();

    assert_eq!(
        sum(&store, &add_up(|| Snapshots::named("sum-2")), &options).await,
        1
    );
    assert_eq!(store.interceptor().calls()[0], read_from(None));
    let mut other = add_up(every_4);
    other.streams.reverse();
    execute(&store, &other).await.unwrap();
    let reversed = vec!["b".to_owned(), "a".to_owned()];
    assert_eq!(
        store.interceptor().calls()[0],
        Call::ReadFromSnapshot(reversed, None)
    );
}

#[tokio::test]
async fn a_rule_of_the_command_can_say_when() {
    let store = Watched::default();
    let command = add_up(|| Snapshots::named("sum").when(|folded| folded.events == folded.streams));
    let options = ExecuteOptions::new();
    for calls in [2, 2, 3, 2] {
        sum(&store, &command, &options).await;
        assert_eq!(store.interceptor().calls().len(), calls);
    }
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_is_as_good_as_none() {
    let store = Watched::default();
    write(store.inner(), "b", "Counted", 7);
    let name = "sum".parse().unwrap();
    let streams = [
        (stream("a"), StreamVersion::EMPTY),
        (stream("b"), StreamVersion::new(1)),
    ];
    let forged = Snapshot::new(name, streams, json!({"not": "a number"}));
    *store.interceptor().forged.lock().unwrap() = Some(forged);
    assert_eq!(
        sum(&store, &add_up(every_4), &ExecuteOptions::new()).await,
        7
    );
    assert_eq!(
        store.interceptor().calls(),
        [read_from(Some([0, 1])), read(0, 0), Call::Append]
    );
}

#[tokio::test]
async fn a_snapshot_that_is_ahead_of_its_stream_costs_an_attempt_and_is_replaced() {
    let store = Watched::default();
    write(store.inner(), "b", "Counted", 7);
    let name = "sum".parse().unwrap();
    let streams = [
        (stream("a"), StreamVersion::EMPTY),
        (stream("b"), StreamVersion::new(9)),
    ];
    *store.interceptor().forged.lock().unwrap() = Some(Snapshot::new(name, streams, json!(99)));
    assert_eq!(
        sum(&store, &add_up(every_4), &ExecuteOptions::new()).await,
        7
    );
    let calls = [
        read_from(Some([0, 9])),
        Call::Append,
        read(0, 0),
        Call::Append,
        Call::SaveSnapshot,
    ];
    assert_eq!(store.interceptor().calls(), calls);
}

#[tokio::test]
async fn a_state_that_is_kept_in_the_process_is_read_on_from() {
    let store = Watched::default();
    let cache = StateCache::new(10);
    let options = ExecuteOptions::new().state_cache(cache.clone());
    let command = add_up(|| Snapshots::named("sum").every(1_000));
    write(store.inner(), "b", "Counted", 7);
    assert_eq!(sum(&store, &command, &options).await, 7);
    write(store.inner(), "b", "Counted", 70);
    let again = ExecuteOptions::new().state_cache(cache);
    assert_eq!(sum(&store, &command, &again).await, 77);
    assert_eq!(sum(&store, &command, &again).await, 77);
    // The events that it writes itself are in the state too.
    let calls = [
        read_from(None),
        Call::Append,
        read(1, 1),
        Call::Append,
        read(2, 2),
        Call::Append,
    ];
    assert_eq!(store.interceptor().calls(), calls);
}

#[tokio::test]
async fn an_invalid_name_of_snapshots_is_an_error() {
    let command = add_up(|| Snapshots::named(""));
    let error = execute(&Watched::default(), &command).await.unwrap_err();
    assert!(error.is_malformed() && !error.is_retriable(), "{error:?}");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_saved_in_time_is_no_failure_of_the_command() {
    let store = watched::stuck_at(Call::SaveSnapshot);
    write(store.inner(), "b", "Counted", 7);
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(50);
    let options = ExecuteOptions::new().deadline(deadline);
    let always = add_up(|| Snapshots::named("sum").every(1));
    assert_eq!(sum(&store, &always, &options).await, 7);
    assert_eq!(
        store.interceptor().calls().last(),
        Some(&Call::SaveSnapshot)
    );
}

#[tokio::test]
async fn the_state_of_a_command_that_is_rejected_is_kept_too() {
    let store = Watched::default();
    for n in 1..=4 {
        write(store.inner(), "b", "Counted", n);
    }
    let mut refused = add_up(every_4);
    refused.refuses = true;
    assert!(
        execute(&store, &refused)
            .await
            .unwrap_err()
            .is_business_rule()
    );
    assert_eq!(
        store.interceptor().calls(),
        [read_from(None), Call::SaveSnapshot]
    );
    assert_eq!(
        sum(&store, &add_up(every_4), &ExecuteOptions::new()).await,
        10
    );
    assert_eq!(store.interceptor().calls()[0], read_from(Some([0, 4])));
}

/// As after a failover to a server that lacks the last events.
#[tokio::test]
async fn a_state_of_this_process_that_is_ahead_of_its_store_decides_nothing() {
    let cache = StateCache::new(10);
    let never = eventcore::RetryPolicy::none();
    let kept = ExecuteOptions::new().state_cache(cache.clone());
    let before = Watched::default();
    write(before.inner(), "b", "Counted", 99);
    sum(&before, &add_up(every_4), &kept).await;

    let after = Watched::default();
    write(after.inner(), "a", "Counted", 1);
    let mut refused = add_up(every_4);
    refused.refuses = true;
    let once = ExecuteOptions::new().state_cache(cache).retry(never);
    let error = execute_with(&after, &refused, &once).await.unwrap_err();
    assert!(error.is_version_conflict(), "{error:?}");
    assert_eq!(sum(&after, &add_up(every_4), &once).await, 1);
}

/// The same stream in another field is another state.
#[tokio::test]
async fn a_snapshot_is_of_streams_in_their_fields() {
    #[derive(Command)]
    struct Either {
        #[stream]
        plus: Option<StreamId>,
        #[stream]
        minus: Option<StreamId>,
    }
    impl CommandLogic for Either {
        type State = i64;
        type Event = CountEvent;
        fn apply(&self, sum: i64, stored: &StoredEvent<CountEvent>) -> i64 {
            match stored.event {
                CountEvent::Counted { n } if self.plus.is_some() => sum + n as i64,
                CountEvent::Counted { n } => sum - n as i64,
                CountEvent::Sum { .. } => sum,
            }
        }
        fn handle(&self, sum: i64, _: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
            Err(CommandError::rejected(sum.to_string()))
        }
        fn snapshots(&self) -> Option<Snapshots<i64>> {
            Some(Snapshots::named("either").every(1))
        }
    }
    let store = Watched::default();
    write(store.inner(), "a", "Counted", 7);
    let (plus, minus) = (Some(stream("a")), None);
    let one = Either { plus, minus };
    let (plus, minus) = (None, Some(stream("a")));
    let other = Either { plus, minus };
    for (command, said) in [(&one, "7"), (&other, "-7"), (&one, "7"), (&other, "-7")] {
        let error = execute(&store, command).await.unwrap_err();
        assert!(error.to_string().ends_with(said), "{error}");
    }
}
