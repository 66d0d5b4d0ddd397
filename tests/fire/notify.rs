//! P11: every waiter learns of the last event; a lost notification costs only latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use eventcore_harness::Server;
use tokio_postgres::types::Type;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_bursts_all_listeners_and_waiters_reach_the_end_with_few_notifications() {
    const LISTENERS: usize = 20;
    const WAITERS: usize = 6;
    const APPENDS: usize = 8 * 40;
    const BURSTS: usize = 4;
    let url = database("bursts");
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        listeners.push(listen(&url).await);
    }
    let mut sessions = Vec::new();
    for _ in 0..WAITERS {
        sessions.push(connect(&url).await);
    }
    let (session, mut heard) = (connect(&url).await, vec![Vec::new(); LISTENERS]);
    for _ in 0..BURSTS {
        let before = safe_position(&*session).await.unwrap();
        // Each waiter continues from where it is until told to stop; a timeout means a lost
        // wake-up.
        let last = Arc::new(std::sync::atomic::AtomicI64::new(i64::MAX));
        let waiters: Vec<_> = sessions
            .drain(..)
            .map(|session| {
                let last = last.clone();
                tokio::spawn(async move {
                    let mut safe = before;
                    while safe < last.load(SeqCst) {
                        let next = wait(&*session, safe, 40).await.unwrap();
                        assert!(next > safe, "not woken after {safe}");
                        safe = next;
                    }
                    session
                })
            })
            .collect();
        burst(&url, 8, APPENDS / 8).await;
        let end = safe_position(&*session).await.unwrap();
        last.store(end, SeqCst);
        for (listener, heard) in listeners.iter_mut().zip(&mut heard) {
            heard.extend(listener.up_to(end).await);
        }
        // One more event, for waiters that reached the end before they were told where the end is.
        let one_more = append_one(&*session, "s").await;
        for (listener, heard) in listeners.iter_mut().zip(&mut heard) {
            heard.extend(listener.up_to(one_more).await);
        }
        for waiter in waiters {
            sessions.push(in_time("a waiter", waiter).await.unwrap());
        }
    }
    for payloads in &heard {
        assert!(
            payloads.windows(2).all(|pair| pair[0] < pair[1]),
            "{payloads:?}"
        );
        assert_eq!(payloads.last(), heard[0].last());
        assert!(
            payloads.len() < BURSTS * APPENDS / 2,
            "{} notifications",
            payloads.len()
        );
    }
    println!(
        "notify: {} appends, {} notifications",
        BURSTS * (APPENDS + 1),
        heard[0].len()
    );
}

/// Appends from many sessions at once.
async fn burst(url: &str, writers: usize, appends: usize) {
    let writers: Vec<_> = (0..writers)
        .map(|n| {
            let url = url.to_owned();
            tokio::spawn(async move {
                let session = connect(&url).await;
                for _ in 0..appends {
                    Append::one(&format!("s{n}"), None)
                        .send(&*session)
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Sessions that append without a pause until told to stop.
fn load(url: &str, writers: usize) -> (Arc<AtomicBool>, Vec<tokio::task::JoinHandle<()>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = (0..writers).map(|n| {
        let (url, stop) = (url.to_owned(), stop.clone());
        tokio::spawn(async move {
            let session = connect(&url).await;
            while !stop.load(SeqCst) {
                let stream = format!("s{n}");
                Append::one(&stream, None)
                    .event(&stream)
                    .send(&*session)
                    .await
                    .unwrap();
            }
        })
    });
    let tasks = tasks.collect();
    (stop, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_the_notifier_can_be_terminated_and_what_it_announces_never_goes_back() {
    const KILLS: usize = 6;
    let url = database("killed_notifier");
    let session = connect(&url).await;
    let mut listener = listen(&url).await;
    let (stop, writers) = load(&url, 6);
    for _ in 0..KILLS {
        let mut old = 0;
        eventually("a notifier", async || {
            old = notifiers(&*session).await.first().copied().unwrap_or(0);
            old != 0
        })
        .await;
        let heard = listener.next().await;
        listener.up_to(heard + 1).await;
        session
            .query_typed("SELECT pg_terminate_backend($1)", &[(&old, Type::INT4)])
            .await
            .unwrap();
        eventually("the notifier ends under load", async || {
            !notifiers(&*session).await.contains(&old)
        })
        .await;
    }
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    let end = safe_position(&*session).await.unwrap();
    let mut last = 0;
    while last < end {
        let next = listener.next().await;
        assert!(next >= last, "announced {next} after {last}");
        last = next;
    }
    assert_eq!(last, end);
    assert_eq!(notifiers(&*session).await.len(), 1);
}

/// A statement that waits for all server processes must not wait for a busy notifier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_other_databases_are_made_and_dropped_without_a_hang() {
    let url = database("busy");
    let (stop, writers) = load(&url, 6);
    let admin = connect(&server().url("postgres")).await;
    for _ in 0..3 {
        let ddl = async {
            admin
                .batch_execute("CREATE DATABASE beside_busy")
                .await
                .unwrap();
            admin
                .batch_execute("DROP DATABASE beside_busy")
                .await
                .unwrap();
        };
        in_time("CREATE and DROP DATABASE", ddl).await;
    }
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn with_no_worker_to_be_had_appends_work_and_a_waiter_looks_for_itself() {
    // The launcher of logical replication takes the only slot.
    let server = Server::start(options().set("max_worker_processes", "1")).unwrap();
    let url = server.create_database("no_worker").unwrap();
    let (session, waiting) = (connect(&url).await, connect(&url).await);
    let mut last = 0;
    for n in 0..3 {
        let waiter = {
            let wait = wait(&*waiting, last, 30);
            let append = async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                let start = Instant::now();
                last = Append::one("s", Some(n))
                    .send(&*session)
                    .await
                    .unwrap()
                    .last
                    .unwrap();
                start
            };
            let (safe, start) = tokio::join!(wait, append);
            (safe.unwrap(), start.elapsed())
        };
        assert!(notifiers(&*session).await.is_empty());
        assert!(waiter.0 >= last, "{} < {last}", waiter.0);
        assert!(waiter.1 < Duration::from_secs(10), "{:?}", waiter.1);
    }
    assert_eq!(read_all(&*session, 0, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_waiter_returns_at_its_timeout_when_there_is_nothing_and_at_once_when_there_is() {
    let url = database("timeout");
    let session = connect(&url).await;
    assert_eq!(wait(&*session, 0, 0).await.unwrap(), 0);
    let last = append_one(&*session, "s").await;
    assert_eq!(wait(&*session, last - 1, 40).await.unwrap(), last);
    let start = Instant::now();
    assert_eq!(wait(&*session, last, 1).await.unwrap(), last);
    assert!(start.elapsed() >= Duration::from_millis(990));
    // A waiter can be cancelled and terminated.
    let killer = connect(&url).await;
    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        let kill = async {
            eventually("it waits", async || {
                let sql = "SELECT query LIKE 'CALL%' AND state = 'active'
                             FROM pg_stat_activity WHERE pid = $1";
                let row = killer
                    .query_typed_one(sql, &[(&session.pid, Type::INT4)])
                    .await;
                row.unwrap().get(0)
            })
            .await;
            killer
                .batch_execute(&format!("SELECT {function}({})", session.pid))
                .await
                .unwrap();
        };
        let (waited, ()) = tokio::join!(wait(&*session, last, 40), kill);
        assert!(matches!(
            sqlstate(&waited.unwrap_err()),
            "57014" | "57P01" | "no connection"
        ));
    }
}

#[tokio::test]
async fn a_waiter_holds_back_no_vacuum_and_no_lock() {
    let url = database("waiter");
    let (session, waiting) = (connect(&url).await, connect(&url).await);
    for prepared in [false, true] {
        if prepared {
            Append::one("s", None).send(&*session).await.unwrap();
        }
        let after = safe_position(&*session).await.unwrap();
        let look = async {
            eventually("it waits", async || {
                let sql =
                    "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $1";
                let row = session
                    .query_typed_one(sql, &[(&waiting.pid, Type::INT4)])
                    .await;
                row.unwrap().get::<_, Option<bool>>(0) == Some(true)
            })
            .await;
            let sql = "SELECT backend_xmin IS NULL AND backend_xid IS NULL,
                              (SELECT count(*) FROM pg_locks
                                WHERE pid = $1 AND relation = 'eventcore.events'::regclass)
                         FROM pg_stat_activity WHERE pid = $1";
            let row = session
                .query_typed_one(sql, &[(&waiting.pid, Type::INT4)])
                .await
                .unwrap();
            Append::one("s", None).send(&*session).await.unwrap();
            (row.get::<_, bool>(0), row.get::<_, i64>(1))
        };
        let (safe, (no_snapshot, locks)) = tokio::join!(wait(&*waiting, after, 40), look);
        assert!(safe.unwrap() > after);
        assert!(
            no_snapshot,
            "it holds a snapshot, with appends before: {prepared}"
        );
        assert_eq!(
            locks, 0,
            "it holds a lock on the events, with appends before: {prepared}"
        );
    }
}

#[tokio::test]
async fn two_databases_have_a_notifier_each_and_do_not_wake_each_other() {
    let (one, two) = (database("wake_one"), database("wake_two"));
    let (mut in_one, mut in_two) = (listen(&one).await, listen(&two).await);
    let (first, second, waiting) = (
        connect(&one).await,
        connect(&two).await,
        connect(&two).await,
    );
    let mut last = 0;
    let appends = async {
        for _ in 0..20 {
            last = append_one(&*first, "s").await;
        }
    };
    let (safe, ()) = tokio::join!(wait(&*waiting, 0, 2), appends);
    assert_eq!(safe.unwrap(), 0, "woken by another database");
    in_one.up_to(last).await;
    assert_eq!(safe_position(&*second).await.unwrap(), 0);

    let own = append_one(&*second, "s").await;
    assert_eq!(own, 1, "positions are each database's own");
    assert_eq!(in_two.up_to(own).await, [1]);
    let (a, b) = (notifiers(&*first).await, notifiers(&*second).await);
    assert!(a.len() == 1 && b.len() == 1 && a != b, "{a:?} {b:?}");
    assert!(in_one.payloads.try_recv().is_err() && in_two.payloads.try_recv().is_err());
}

#[tokio::test]
async fn a_notifier_that_stands_still_delays_no_append_and_loses_no_news() {
    let server = Server::start(options()).unwrap();
    let url = server.create_database("standstill").unwrap();
    let (session, waiting) = (connect(&url).await, connect(&url).await);
    let mut listener = listen(&url).await;
    let mut last = append_one(&*session, "s").await;
    listener.up_to(last).await;
    let [notifier] = notifiers(&*session).await[..] else {
        panic!("one notifier")
    };
    server.signal(notifier as u32, "STOP").unwrap();
    for _ in 0..50 {
        let done = in_time("an append", Append::one("s", None).send(&*session)).await;
        last = done.unwrap().last.unwrap();
    }
    let safe = in_time("a waiter", wait(&*waiting, last - 1, 40))
        .await
        .unwrap();
    assert_eq!(safe, last);
    server.signal(notifier as u32, "CONT").unwrap();
    listener.up_to(last).await;
}
