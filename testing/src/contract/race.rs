//! Writers that really run at the same time, on several threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eventcore::ExpectedVersion::{Exactly, Unchecked};
use eventcore::{EventStore, ExecuteOptions, RetryPolicy, execute_with};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::bank::{Deposit, Transfer, balance};
use super::{declare, event, read, stream, told};

const WRITERS: u64 = 8;

/// Runs one task per writer, all starting at the same moment, and returns their results.
async fn at_once<S, T, F>(store: &S, task: impl Fn(S, u64) -> F) -> Vec<T>
where
    S: EventStore + Clone + 'static,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let start = Arc::new(Barrier::new(WRITERS as usize));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (start, task) = (Arc::clone(&start), task(store.clone(), writer));
        tasks.spawn(async move {
            start.wait().await;
            task.await
        });
    }
    tasks.join_all().await
}

pub async fn of_writers_at_the_same_version_of_a_stream_exactly_one_is_written<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    const VERSIONS: u64 = 60;
    let won = at_once(store, |store, writer| async move {
        let mut won = Vec::new();
        for base in 0..VERSIONS {
            let append = declare(&[("a", Exactly(base))]).event(event("a", writer));
            match store.append(&append).await {
                Ok(appended) => won.push((appended.versions[0].get(), append.events[0].event_id)),
                Err(error) => {
                    assert!(error.is_version_conflict(), "{error}");
                    let conflict = &error.conflicts()[0];
                    assert_eq!(conflict.expected, Exactly(base));
                    assert!(conflict.actual > base, "{error}");
                }
            }
        }
        won
    })
    .await;
    let all: usize = won.iter().map(Vec::len).sum();
    let by_version: BTreeMap<_, _> = won.into_iter().flatten().collect();
    let stored = read(store, "a").await;
    assert_eq!(by_version.len(), all, "a version was given to two");
    let stored = stored
        .iter()
        .map(|event| (event.version.get(), event.event_id));
    assert!(by_version.into_iter().eq(stored));
    assert_eq!(all as u64, VERSIONS);
}

/// Each writer declares two streams, half of them in the opposite order, and no append is ever
/// refused.
pub async fn appends_that_cross_do_not_hinder_one_another<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    const EACH: u64 = 40;
    at_once(store, |store, writer| async move {
        for n in 0..EACH {
            let mut names = ["a", "b", "c"];
            names.rotate_left((writer + n) as usize % 3);
            if writer % 2 == 0 {
                names.swap(0, 1);
            }
            let [one, two, _] = names;
            let append = declare(&[(one, Unchecked), (two, Unchecked)])
                .event(event(one, writer))
                .event(event(two, writer));
            let appended = store.append(&append).await;
            appended.unwrap_or_else(|error| panic!("{error}: {:?}", error.code()));
        }
    })
    .await;
    let mut all = 0;
    for name in ["a", "b", "c"] {
        let events = read(store, name).await;
        for (version, event) in (1..).zip(&events) {
            assert_eq!(event.version.get(), version);
        }
        all += events.len() as u64;
    }
    assert_eq!(all, WRITERS * EACH * 2);
}

/// Each writer writes to a stream that it has not read, provided the other stream is empty. Only
/// one of two may succeed.
pub async fn two_that_each_check_what_the_other_writes_are_not_both_written<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    let written = at_once(store, |store, writer| async move {
        let mut written = Vec::new();
        for round in 0..40 {
            let (left, right) = (format!("left-{round}"), format!("right-{round}"));
            let (own, other) = if writer % 2 == 0 {
                (&left, &right)
            } else {
                (&right, &left)
            };
            let append =
                declare(&[(own, Exactly(0)), (other, Exactly(0))]).event(event(own, writer));
            match store.append(&append).await {
                Ok(_) => written.push(round),
                Err(error) => assert!(error.is_version_conflict(), "{error}"),
            }
        }
        written
    })
    .await;
    let mut written: Vec<_> = written.into_iter().flatten().collect();
    written.sort_unstable();
    assert_eq!(written, (0..40).collect::<Vec<_>>());
}

pub async fn of_the_same_append_sent_by_many_at_once_one_is_written_and_all_get_its_answer<S>(
    store: &S,
) where
    S: EventStore + Clone + 'static,
{
    for expected in [Exactly(0), Unchecked] {
        for round in 0..20 {
            let names = [
                format!("a-{expected:?}-{round}"),
                format!("b-{expected:?}-{round}"),
            ];
            let [a, b] = &names;
            let append = declare(&[(a, expected), (b, expected)])
                .event(event(a, 1))
                .event(event(b, 2))
                .event(event(a, 3));
            let answers = at_once(store, |store, _| {
                let append = append.clone();
                async move { store.append(&append).await.unwrap() }
            })
            .await;
            assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
            for answer in &answers {
                assert_eq!(answer.versions, answers[0].versions);
                assert_eq!(answer.first_position, answers[0].first_position);
                assert_eq!(answer.last_position, answers[0].last_position);
                assert_eq!(answer.recorded_at, answers[0].recorded_at);
            }
            assert_eq!(
                told(&read(store, a).await),
                [format!("{a}@1:1"), format!("{a}@2:3")]
            );
        }
    }
}

pub async fn commands_in_a_crowd_lose_no_cent_and_overdraw_nothing<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    let accounts = ["ada", "bob", "cleo"];
    let options = ExecuteOptions::new().retry(RetryPolicy::default().attempts(1_000));
    for account in accounts {
        let deposit = Deposit {
            account: stream(account),
            cents: 20,
        };
        execute_with(store, &deposit, &options).await.unwrap();
    }
    let done: u32 = at_once(store, |store, writer| {
        let options = options.clone();
        async move {
            let mut done = 0;
            for n in 0..15 {
                let from = accounts[(writer + n) as usize % 3];
                let to = accounts[(writer + n + 1 + n % 2) as usize % 3];
                let transfer = Transfer {
                    from: stream(from),
                    to: stream(to),
                    cents: 1 + n % 7,
                };
                match execute_with(&store, &transfer, &options).await {
                    Ok(_) => done += 1,
                    Err(error) => assert!(error.is_business_rule(), "{error}"),
                }
            }
            done
        }
    })
    .await
    .into_iter()
    .sum();
    let (mut sum, mut events) = (0, 0);
    for account in accounts {
        sum += balance(store, account).await;
        events += read(store, account).await.len();
    }
    assert_eq!(sum, 60);
    assert_eq!(events, 3 + 2 * done as usize);
}

pub async fn an_append_that_is_dropped_is_written_as_a_whole_or_not_at_all<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    at_once(store, |store, writer| async move {
        for n in 0..15 {
            let (a, b) = (format!("a-{writer}-{n}"), format!("b-{writer}-{n}"));
            let append = declare(&[(&a, Exactly(0)), (&b, Exactly(0))])
                .event(event(&a, 1))
                .event(event(&b, 2));
            let patience = Duration::from_micros(200 * n);
            let in_time = tokio::time::timeout(patience, store.append(&append)).await;
            // Sent again, it is there exactly once, whatever happened to the first.
            let again = store.append(&append).await.unwrap();
            assert!(again.repeated || in_time.is_err());
            assert_eq!(told(&read(&store, &a).await), [format!("{a}@1:1")]);
            assert_eq!(told(&read(&store, &b).await), [format!("{b}@1:2")]);
        }
    })
    .await;
}
