//! The promises of `execute`.

#[path = "support/bank.rs"]
mod bank;
mod support;

use std::error::Error;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bank::{AccountEvent, Deposit, TooFew, Transfer};
use eventcore::{
    CausationId, Command, CommandError, CommandLogic, CorrelationId, EventStore, EventSubscription,
    ExecuteOptions, InMemoryEventStore, NewEvents, Position, ReadAll, RetryPolicy, StoredEvent,
    StreamId, Streams, Subscribe, emit, execute, execute_with,
};
use eventcore_testing::chaos::Fault;
use eventcore_testing::{ChaosStore, CountingStore};
use support::stream;

async fn deposit(store: &impl EventStore, account: &str, cents: u64) {
    let deposit = Deposit {
        account: stream(account),
        cents,
    };
    execute(store, &deposit).await.unwrap();
}

fn transfer(from: &str, to: &str, cents: u64) -> Transfer {
    Transfer {
        from: stream(from),
        to: stream(to),
        cents,
    }
}

#[tokio::test]
async fn the_result_contains_what_was_written_to_which_stream() {
    let store = InMemoryEventStore::new();
    deposit(&store, "a", 10).await;
    let done = execute(&store, &transfer("a", "b", 4)).await.unwrap();
    assert!(done.wrote());
    assert_eq!(done.first_position(), Some(Position::new(2)));
    assert_eq!(done.last_position(), Some(Position::new(3)));
    assert_eq!(done.version_of(&stream("a")).unwrap().get(), 2);
    assert_eq!(done.version_of(&stream("b")).unwrap().get(), 1);
    assert_eq!(done.version_of(&stream("c")), None);
    assert_eq!(done.attempts, 1);

    let events = store
        .read_all(&ReadAll::new().after(Position::new(1)))
        .await
        .unwrap();
    for event in events {
        assert_eq!(event.correlation_id, Some(done.correlation_id));
        assert_eq!(event.causation_id, Some(done.causation_id));
        assert_eq!(Some(event.recorded_at), done.recorded_at);
    }
}

#[tokio::test]
async fn a_command_takes_two_calls_of_the_store() {
    let store = CountingStore::new(InMemoryEventStore::new());
    execute(
        &store,
        &Deposit {
            account: stream("a"),
            cents: 1,
        },
    )
    .await
    .unwrap();
    assert_eq!(store.calls(), 2);
}

#[tokio::test]
async fn a_broken_business_rule_is_reported_and_nothing_is_written_or_tried_again() {
    let store = CountingStore::new(InMemoryEventStore::new());
    let error = execute(&store, &transfer("a", "b", 4)).await.unwrap_err();
    assert!(error.is_business_rule() && !error.is_retriable());
    assert_eq!(error.rejection::<TooFew>(), Some(&TooFew { missing: 4 }));
    assert_eq!(
        error.to_string(),
        "the command was rejected: 4 cents too few"
    );
    assert!(error.source().is_none(), "told once: {:?}", error.source());
    assert_eq!(store.calls(), 1);

    let error = execute(&store, &transfer("a", "b", 0)).await.unwrap_err();
    assert_eq!(
        error.command().unwrap().to_string(),
        "a transfer of 0 cents"
    );
    assert_eq!(
        store.inner().safe_position().await.unwrap(),
        Position::START
    );
}

#[tokio::test]
async fn a_command_without_events_writes_nothing_and_succeeds() {
    let store = CountingStore::new(InMemoryEventStore::new());
    let done = execute(
        &store,
        &Deposit {
            account: stream("a"),
            cents: 0,
        },
    )
    .await
    .unwrap();
    assert!(!done.wrote());
    assert_eq!(done.recorded_at, None);
    assert_eq!(done.version_of(&stream("a")).unwrap().get(), 0);
    assert_eq!(store.calls(), 1);
}

#[tokio::test]
async fn two_fields_may_name_the_same_stream() {
    let store = InMemoryEventStore::new();
    deposit(&store, "a", 10).await;
    let done = execute(&store, &transfer("a", "a", 4)).await.unwrap();
    assert_eq!(done.versions.len(), 1);
    assert_eq!(done.version_of(&stream("a")).unwrap().get(), 3);
}

#[test]
fn commands_that_fight_for_a_stream_are_all_executed_and_none_on_stale_state() {
    let store = InMemoryEventStore::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(deposit(&store, "pot", 400));
    let attempts: u32 = std::thread::scope(|scope| {
        let runners: Vec<_> = (0..8)
            .map(|n| {
                let store = store.clone();
                scope.spawn(move || {
                    // Each on its own thread and executor.
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    let options =
                        ExecuteOptions::new().retry(RetryPolicy::default().attempts(1_000));
                    let to = format!("winner-{n}");
                    (0..50)
                        .map(|_| {
                            let command = transfer("pot", &to, 1);
                            let done = execute_with(&store, &command, &options);
                            runtime.block_on(done).unwrap().attempts
                        })
                        .sum::<u32>()
                })
            })
            .collect();
        runners
            .into_iter()
            .map(|runner| runner.join().unwrap())
            .sum()
    });
    assert!(attempts >= 400);
    let error = runtime
        .block_on(execute(&store, &transfer("pot", "late", 1)))
        .unwrap_err();
    assert_eq!(error.rejection::<TooFew>(), Some(&TooFew { missing: 1 }));
}

/// While it decides, its own stream changes, this many times.
#[derive(Command)]
struct Disturbed {
    #[stream]
    counter: StreamId,
    store: InMemoryEventStore,
    left: AtomicU32,
}

impl CommandLogic for Disturbed {
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, seen: u64, _: &StoredEvent<AccountEvent>) -> u64 {
        seen + 1
    }

    fn handle(&self, seen: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        use std::sync::atomic::Ordering::SeqCst;
        if self
            .left
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
            .is_ok()
        {
            let store = self.store.clone();
            let intruder = Deposit {
                account: self.counter.clone(),
                cents: 1,
            };
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(execute(&store, &intruder)).unwrap();
            })
            .join()
            .unwrap();
        }
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.counter,
            AccountEvent::Deposited { cents: seen }
        );
        Ok(events)
    }
}

fn disturbed(store: &InMemoryEventStore, times: u32) -> Disturbed {
    Disturbed {
        counter: stream("a"),
        store: store.clone(),
        left: AtomicU32::new(times),
    }
}

#[tokio::test]
async fn after_a_conflict_the_command_decides_again_under_the_same_ids() {
    let store = InMemoryEventStore::new();
    let (correlation, causation) = (CorrelationId::new(), CausationId::new());
    let options = ExecuteOptions::new()
        .correlation_id(correlation)
        .causation_id(causation);
    let done = execute_with(&store, &disturbed(&store, 2), &options)
        .await
        .unwrap();
    assert_eq!(done.attempts, 3);
    assert_eq!(
        (done.correlation_id, done.causation_id),
        (correlation, causation)
    );
    let last = store
        .read_all(&ReadAll::new().backward().limit(1))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(last.correlation_id, Some(correlation));
    let last = last.decode::<AccountEvent>().unwrap();
    assert_eq!(last.event, AccountEvent::Deposited { cents: 2 });
    assert_eq!(last.version.get(), 3);
}

#[tokio::test]
async fn after_the_last_attempt_the_conflict_is_the_error() {
    let store = InMemoryEventStore::new();
    let options = ExecuteOptions::new().retry(
        RetryPolicy::default()
            .attempts(3)
            .base(Duration::from_millis(1)),
    );
    let error = execute_with(&store, &disturbed(&store, 9), &options)
        .await
        .unwrap_err();
    assert!(error.is_version_conflict() && error.is_retriable());
    assert_eq!(error.attempts(), 3);
    assert_eq!(error.conflicts()[0].stream, "a");
    assert_eq!(error.to_string(), "the command failed after 3 attempts");
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_sent_again_and_written_once() {
    let chaos = ChaosStore::new(InMemoryEventStore::new());
    let store = CountingStore::new(chaos.at_append(1, Fault::After).at_append(2, Fault::After));
    let deposit = Deposit {
        account: stream("a"),
        cents: 1,
    };
    let done = execute(&store, &deposit).await.unwrap();
    assert_eq!(done.attempts, 3);
    assert_eq!(done.last_position(), Some(Position::new(1)));
    assert_eq!(store.calls(), 4);
    assert_eq!(
        store.inner().safe_position().await.unwrap(),
        Position::new(1)
    );
}

#[tokio::test]
async fn a_read_that_fails_for_now_is_tried_again() {
    let store = ChaosStore::new(InMemoryEventStore::new())
        .at_read(1)
        .at_read(3);
    let deposit = Deposit {
        account: stream("a"),
        cents: 1,
    };
    assert_eq!(execute(&store, &deposit).await.unwrap().attempts, 2);
    let once = ExecuteOptions::new().retry(RetryPolicy::none());
    let error = execute_with(&store, &deposit, &once).await.unwrap_err();
    assert!(error.is_retriable() && !error.is_version_conflict());
}

#[tokio::test]
async fn an_event_that_the_command_does_not_know_is_an_error() {
    let store = InMemoryEventStore::new();
    support::add(&store, "a", 1).await;
    let error = execute(&store, &transfer("a", "b", 1)).await.unwrap_err();
    assert!(error.event().unwrap().is_unknown_type());
    assert!(!error.is_retriable());
}

#[tokio::test]
async fn an_execution_can_be_spawned() {
    let store = InMemoryEventStore::new();
    let command = Deposit {
        account: stream("a"),
        cents: 1,
    };
    let spawned = tokio::spawn(async move { execute(&store, &command).await.unwrap().attempts });
    assert_eq!(spawned.await.unwrap(), 1);
}

#[test]
fn the_memory_store_needs_no_runtime() {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    fn block_on<F: Future>(future: F) -> F::Output {
        let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
        let mut future = std::pin::pin!(future);
        loop {
            let mut context = std::task::Context::from_waker(&waker);
            if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            std::thread::park();
        }
    }
    let store = InMemoryEventStore::new();
    let patient = RetryPolicy::default()
        .base(Duration::from_millis(20))
        .jitter(false);
    let options = ExecuteOptions::new().retry(patient);
    let done = block_on(execute_with(&store, &disturbed(&store, 1), &options)).unwrap();
    assert_eq!(done.attempts, 2);
    let mut subscription = store.subscribe(Subscribe::from_start());
    assert_eq!(
        block_on(subscription.next_event()).unwrap().version.get(),
        1
    );
}
