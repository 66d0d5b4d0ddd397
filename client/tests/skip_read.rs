//! Commands that decide on the state in this process, without reading first.

mod support;
#[path = "support/watched.rs"]
mod watched;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use eventcore::{
    Command, CommandError, CommandLogic, Event, EventCache, ExecuteError, ExecuteOptions,
    Execution, NewEvents, RetryPolicy, Snapshots, StateCache, StoredEvent, StreamId, Streams, emit,
    execute_with, require,
};
use serde::{Deserialize, Serialize};
use support::stream;
use watched::{Call, Watched, stepping_in, write};

#[derive(Debug, Serialize, Deserialize, Event)]
enum CountEvent {
    Counted { n: u64 },
}

/// Counts up to a limit: adds one, writes nothing at the limit, and is rejected above it.
#[derive(Command)]
struct CountUpTo {
    #[stream]
    counter: StreamId,
    limit: u64,
    /// Whether its state is cached, or else the events.
    state: bool,
}

impl CommandLogic for CountUpTo {
    type State = u64;
    type Event = CountEvent;

    fn apply(&self, sum: u64, stored: &StoredEvent<CountEvent>) -> u64 {
        let CountEvent::Counted { n } = stored.event;
        sum + n
    }

    fn handle(&self, sum: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        require!(sum <= self.limit, "{sum} is too much");
        let mut events = NewEvents::new();
        if sum < self.limit {
            emit!(events, streams.counter, CountEvent::Counted { n: 1 });
        }
        Ok(events)
    }

    fn snapshots(&self) -> Option<Snapshots<u64>> {
        self.state.then(|| Snapshots::named("count").every(1_000))
    }
}

/// What is cached, and the options with that cache. Nothing is read that can be skipped, and there
/// is one attempt.
#[derive(Clone)]
struct Cached {
    state: bool,
    options: ExecuteOptions,
}

/// Both kinds of caches.
fn caches() -> [Cached; 2] {
    let options = ExecuteOptions::new()
        .skip_read(true)
        .retry(RetryPolicy::none());
    let state = options.clone().state_cache(StateCache::new(10));
    let events = options.event_cache(EventCache::new(100));
    [(true, state), (false, events)].map(|(state, options)| Cached { state, options })
}

impl Cached {
    async fn run(&self, store: &Watched, limit: u64) -> Result<Execution, ExecuteError> {
        let command = CountUpTo {
            counter: stream("a"),
            limit,
            state: self.state,
        };
        execute_with(store, &command, &self.options).await
    }

    /// The read of a stream that is not cached.
    fn first_read(&self) -> Call {
        match self.state {
            true => Call::ReadFromSnapshot(vec!["a".to_owned()], None),
            false => read_after(0),
        }
    }

    /// What follows when everything was read because of a wrong state.
    fn saves(&self) -> Option<Call> {
        self.state.then_some(Call::SaveSnapshot)
    }
}

fn read_after(version: u64) -> Call {
    Call::Read(vec![("a".to_owned(), version)])
}

#[tokio::test]
async fn a_command_takes_one_call_while_nobody_else_writes_to_its_streams() {
    for cached in caches() {
        let store = Watched::default();
        for n in 1..=3 {
            let done = cached.run(&store, 10).await.unwrap();
            assert_eq!(done.version_of(&stream("a")).unwrap().get(), n);
            assert_eq!((done.written.len(), done.attempts), (1, 1));
        }
        let first = cached.first_read();
        let calls = [first, Call::Append, Call::Append, Call::Append];
        assert_eq!(store.interceptor().calls(), calls);
    }
}

#[tokio::test]
async fn what_others_wrote_is_read_after_the_conflict_which_is_no_attempt() {
    for cached in caches() {
        let store = Watched::default();
        cached.run(&store, 10).await.unwrap();
        write(store.inner(), "a", "Counted", 8);
        store.interceptor().calls();
        let done = cached.run(&store, 10).await.unwrap();
        assert_eq!(done.attempts, 1);
        assert_eq!(done.version_of(&stream("a")).unwrap().get(), 3);
        let calls = [Call::Append, read_after(1), Call::Append];
        assert_eq!(store.interceptor().calls(), calls);
        // All of it is cached: 1 + 8 + 1.
        let done = cached.run(&store, 10).await.unwrap();
        assert!(!done.wrote());
        assert_eq!(store.interceptor().calls(), [Call::Append]);
    }
}

/// Another writer appends between the read that follows the first conflict and the append.
#[tokio::test]
async fn a_second_conflict_is_an_attempt_like_any_other() {
    for cached in caches() {
        let mut calls = 0;
        let store = stepping_in(move |store, call| {
            if *call == Call::Append {
                calls += 1;
                if calls > 1 {
                    write(store, "a", "Counted", 1);
                }
            }
        });
        cached.run(&store, 10).await.unwrap();
        let error = cached.run(&store, 10).await.unwrap_err();
        assert!(error.is_version_conflict(), "{error:?}");
        assert_eq!(store.interceptor().calls().len(), 5);
    }
}

#[tokio::test]
async fn a_rejection_is_told_only_after_a_check() {
    for cached in caches() {
        let store = Watched::default();
        cached.run(&store, 10).await.unwrap();
        store.interceptor().calls();
        let error = cached.run(&store, 0).await.unwrap_err();
        assert!(error.is_business_rule(), "{error:?}");
        assert_eq!(store.interceptor().calls(), [Call::Append]);

        // What is told is decided on the present state.
        write(store.inner(), "a", "Counted", 5);
        let error = cached.run(&store, 0).await.unwrap_err();
        assert!(error.to_string().contains("6 is too much"), "{error}");
        let calls = [Call::Append, read_after(1), Call::Append];
        assert_eq!(store.interceptor().calls(), calls);
    }
}

#[tokio::test]
async fn a_decision_to_write_nothing_is_checked_too() {
    for cached in caches() {
        let store = Watched::default();
        cached.run(&store, 10).await.unwrap();
        write(store.inner(), "a", "Counted", 5);
        // At 1, the limit of 1 asks for nothing; at 6 it is a rejection.
        let error = cached.run(&store, 1).await.unwrap_err();
        assert!(error.is_business_rule(), "{error:?}");
    }
}

/// What was only read does not prove in which history it was.
#[tokio::test]
async fn what_no_append_of_this_process_has_checked_is_read_on() {
    for cached in caches() {
        let store = Watched::default();
        write(store.inner(), "a", "Counted", 5);
        assert!(!cached.run(&store, 5).await.unwrap().wrote());
        assert!(!cached.run(&store, 5).await.unwrap().wrote());
        let calls = [cached.first_read(), read_after(1)];
        assert_eq!(store.interceptor().calls(), calls);
    }
}

/// As after a fail-over that lost events, when others came in their places: the versions agree.
#[tokio::test]
async fn what_is_of_another_history_is_forgotten_and_everything_read_again() {
    for cached in caches() {
        let before = Watched::default();
        cached.run(&before, 10).await.unwrap();
        let after = Watched::default();
        write(after.inner(), "a", "Counted", 9);
        let another = &after.interceptor().in_another_history;
        another.store(true, Ordering::Relaxed);
        let done = cached.run(&after, 10).await.unwrap();
        assert_eq!((done.attempts, done.written.len()), (1, 1));
        let mut calls = vec![Call::Append, read_after(0), Call::Append];
        calls.extend(cached.saves());
        assert_eq!(after.interceptor().calls(), calls);
        // 9 + 1.
        another.store(false, Ordering::Relaxed);
        assert!(!cached.run(&after, 10).await.unwrap().wrote());
        cached.run(&after, 11).await.unwrap();
        // The same when the rest is read: nothing is new, and yet the state is another one.
        let mut reading = cached.clone();
        reading.options.skip_read = false;
        another.store(true, Ordering::Relaxed);
        after.interceptor().calls();
        reading.run(&after, 12).await.unwrap();
        let calls = after.interceptor().calls();
        assert_eq!(calls[..2], [read_after(3), Call::Append], "{calls:?}");
        assert_eq!(calls[2..4], [read_after(0), Call::Append], "{calls:?}");
    }
}

/// At the limit nothing is to be written. In the other history the stream is far above it, at the same
/// version.
#[tokio::test]
async fn writing_nothing_is_not_decided_on_another_history() {
    for reads in [false, true] {
        for mut cached in caches() {
            cached.options.skip_read = !reads;
            cached.run(&Watched::default(), 10).await.unwrap();
            let after = Watched::default();
            write(after.inner(), "a", "Counted", 9);
            let another = &after.interceptor().in_another_history;
            another.store(true, Ordering::Relaxed);
            let error = cached.run(&after, 1).await.unwrap_err();
            assert!(error.to_string().contains("9 is too much"), "{error}");
        }
    }
}

/// Counts, and notes where the text of the stream's name is in each event.
#[derive(Command)]
struct NoteNames {
    #[stream]
    counter: StreamId,
    texts: Arc<Mutex<BTreeSet<usize>>>,
}

impl CommandLogic for NoteNames {
    type State = u64;
    type Event = CountEvent;

    fn apply(&self, count: u64, stored: &StoredEvent<CountEvent>) -> u64 {
        let text = stored.stream_id.as_str().as_ptr().addr();
        self.texts.lock().unwrap().insert(text);
        count + 1
    }

    fn handle(&self, count: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(events, streams.counter, CountEvent::Counted { n: count });
        Ok(events)
    }
}

#[tokio::test]
async fn cached_events_of_a_stream_share_the_text_of_its_name() {
    let store = Watched::default();
    let [_, Cached { options, .. }] = caches();
    write(store.inner(), "a", "Counted", 1);
    for own in 1..=3 {
        let command = NoteNames {
            counter: StreamId::new(String::from("a")).unwrap(),
            texts: Arc::default(),
        };
        let done = execute_with(&store, &command, &options).await.unwrap();
        assert_eq!(done.version_of(&stream("a")).unwrap().get(), 2 * own);
        assert_eq!(command.texts.lock().unwrap().len(), 1);
        write(store.inner(), "a", "Counted", 1);
    }
}
