//! Commands on a store that fails, and the promises of the failing store itself.

use std::sync::Arc;
use std::time::Duration;

use eventcore::{
    Append, EventStore, ExecuteOptions, Execution, ExpectedVersion, InMemoryEventStore, NewEvent,
    ReadAll, RetryPolicy, StreamId, execute, execute_with,
};
use eventcore_testing::chaos::{Fault, Operation};
use eventcore_testing::contract::bank::{Deposit, Transfer, balance};
use eventcore_testing::{ChaosStore, CountingStore};
use serde_json::json;
use tokio::task::JoinSet;

fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn deposit(account: &str, cents: u64) -> Deposit {
    Deposit {
        account: stream(account),
        cents,
    }
}

fn memory() -> ChaosStore<InMemoryEventStore> {
    ChaosStore::new(InMemoryEventStore::new())
}

/// Tries again at once, as often as needed.
fn stubborn() -> ExecuteOptions {
    let policy = RetryPolicy::default().attempts(10_000).base(Duration::ZERO);
    ExecuteOptions::new().retry(policy)
}

#[tokio::test]
async fn a_conflict_is_retried_and_the_command_is_executed_once() {
    let store = memory().conflict_once();
    let done = execute(&store, &deposit("ada", 5)).await.unwrap();
    assert_eq!(done.attempts, 2);
    assert_eq!(balance(store.inner(), "ada").await, 5);
    let [injected] = store.injected()[..] else {
        panic!("{:?}", store.injected())
    };
    assert_eq!((injected.operation, injected.call), (Operation::Append, 1));
    assert_eq!(injected.fault, Fault::Conflict);
}

#[tokio::test]
async fn a_conflict_is_reported_when_no_attempt_is_left() {
    let store = CountingStore::new(memory().conflict_times(3));
    let options = ExecuteOptions::new().retry(RetryPolicy::default().attempts(3));
    let error = execute_with(&store, &deposit("ada", 5), &options)
        .await
        .unwrap_err();
    assert!(error.is_version_conflict() && error.is_retriable());
    assert_eq!(error.conflicts()[0].stream, "ada");
    assert_eq!(error.conflicts()[0].expected, ExpectedVersion::Exactly(0));
    assert_eq!((store.appends(), store.reads(), store.sleeps()), (3, 3, 2));
    // Nothing was written.
    assert_eq!(balance(&store, "ada").await, 0);
}

#[tokio::test]
async fn a_command_whose_answer_is_lost_is_executed_once() {
    for store in [
        memory().lose_answer_once(),
        memory().fail_once(),
        memory().at_read(1),
    ] {
        let done = execute(&store, &deposit("ada", 5)).await.unwrap();
        assert_eq!((done.attempts, store.injected().len()), (2, 1));
        assert_eq!(done.version_of(&stream("ada")).unwrap().get(), 1);
        assert_eq!(balance(store.inner(), "ada").await, 5);
    }
}

/// The store recognises a repeat. A conflict there would make the command decide again.
#[tokio::test]
async fn what_was_written_meets_no_conflict_when_it_is_sent_again() {
    let store = memory().lose_answer_once().at_append(2, Fault::Conflict);
    execute(&store, &deposit("ada", 5)).await.unwrap();
    assert_eq!(balance(store.inner(), "ada").await, 5);
    assert_eq!(store.injected().len(), 1);
}

#[tokio::test]
async fn an_append_that_cannot_conflict_does_not() {
    let store = memory().conflict_once();
    let event = NewEvent::new(stream("a"), "Opened".parse().unwrap(), json!({}));
    let append = Append::new()
        .stream(stream("a"), ExpectedVersion::Unchecked)
        .event(event);
    store.append(&append).await.unwrap();
    assert!(store.injected().is_empty());
}

const ACCOUNTS: [&str; 4] = ["ada", "bob", "cleo", "dora"];
const EACH: u64 = 100;

/// Every kind of fault at once. Most appends meet one.
fn heavy(seed: u64) -> ChaosStore<InMemoryEventStore> {
    memory()
        .seed(seed)
        .conflicts(0.3)
        .failures_before(0.2)
        .failures_after(0.4)
        .failing_reads(0.2)
        .latency(Duration::from_micros(200))
}

async fn open(store: &impl EventStore) {
    for account in ACCOUNTS {
        execute_with(store, &deposit(account, EACH), &stubborn())
            .await
            .unwrap();
    }
}

/// The nth of some transfers; `None` if the account has too little money.
async fn transfer(store: &impl EventStore, n: usize) -> Option<Execution> {
    let (from, to) = (ACCOUNTS[n % 4], ACCOUNTS[(n + 1 + n / 4 % 3) % 4]);
    let transfer = Transfer {
        from: stream(from),
        to: stream(to),
        cents: 1 + n as u64 % 40,
    };
    match execute_with(store, &transfer, &stubborn()).await {
        Ok(done) => Some(done),
        Err(error) if error.is_business_rule() => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_under_heavy_chaos_are_each_executed_once_and_lose_no_cent() {
    for seed in 0..4 {
        let store = heavy(seed);
        open(&store).await;
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut done = Vec::new();
                for n in 0..25 {
                    done.extend(transfer(&store, task + n * 3).await);
                }
                done
            });
        }
        let done: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();

        let mut sum = 0;
        for account in ACCOUNTS {
            sum += balance(store.inner(), account).await;
        }
        assert_eq!(sum, EACH * 4, "seed {seed}");
        // Each reported execution has its two events, and there are no others.
        let events = store
            .inner()
            .read_all(&ReadAll::new().limit(u32::MAX))
            .await
            .unwrap();
        assert_eq!(events.len(), 4 + 2 * done.len(), "seed {seed}");
        for done in &done {
            let own = events
                .iter()
                .filter(|event| event.causation_id == Some(done.causation_id));
            let positions: Vec<_> = own.map(|event| Some(event.position)).collect();
            assert_eq!(
                positions,
                [done.first_position(), done.last_position()],
                "seed {seed}"
            );
        }
        for fault in [Fault::Before, Fault::Conflict, Fault::After] {
            let met = store
                .injected()
                .iter()
                .filter(|injected| injected.fault == fault)
                .count();
            assert!(met > 20, "seed {seed}: {fault:?} {met} times");
        }
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_log_of_faults_and_another_seed_another() {
    let run = async |seed| {
        let store = heavy(seed).latency(Duration::ZERO);
        open(&store).await;
        for n in 0..60 {
            transfer(&store, n).await;
        }
        let mut balances = Vec::new();
        for account in ACCOUNTS {
            balances.push(balance(store.inner(), account).await);
        }
        (store.injected(), balances)
    };
    let (first, again, other) = (run(42).await, run(42).await, run(43).await);
    assert!(first.0.len() > 50);
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
    // The faults do not change the final balances.
    assert_eq!(first.1, other.1);
}

#[tokio::test]
async fn latency_slows_calls_down() {
    let store = memory().latency(Duration::from_millis(20));
    let started = std::time::Instant::now();
    for _ in 0..20 {
        store.safe_position().await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn clones_have_their_numbers_and_their_log_in_common() {
    let store = memory().at_append(2, Fault::Before);
    let clone = Arc::new(store.clone());
    execute(&store, &deposit("ada", 1)).await.unwrap();
    execute(&*clone, &deposit("ada", 1)).await.unwrap();
    assert_eq!(store.injected(), clone.injected());
    assert_eq!(store.injected()[0].call, 2);
}
