//! Readers of every kind, which follow positions while the writers work.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use tokio_postgres::IsolationLevel;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::support::*;

/// Whether a reader has seen the last event and no writer is left.
async fn is_at_end(session: &Session, follower: &Follower, done: &AtomicBool) -> bool {
    if !done.load(SeqCst) {
        return false;
    }
    let row = session.query_typed_one(
        "SELECT coalesce(max(position), 0) FROM eventcore.events",
        &[],
    );
    follower.last() >= row.await.unwrap().get::<_, i64>(0)
}

pub(super) async fn autocommit_reader(url: String, done: Arc<AtomicBool>) -> (Follower, String) {
    let session = connect(&url).await;
    let (mut random, mut follower) = (Random::new(), Follower::new("autocommit"));
    let mut reads = 0;
    while !is_at_end(&session, &follower, &done).await {
        let max = 1 + random.below(50) as i64;
        follower.take(read_all(&*session, follower.last(), max).await.unwrap());
        reads += 1;
    }
    (follower, format!("{reads} reads in autocommit"))
}

pub(super) async fn repeatable_read_reader(
    url: String,
    done: Arc<AtomicBool>,
) -> (Follower, String) {
    let (mut session, watcher) = (connect(&url).await, connect(&url).await);
    let (mut random, mut follower) = (Random::new(), Follower::new("REPEATABLE READ"));
    let mut transactions = 0;
    while !is_at_end(&watcher, &follower, &done).await {
        let builder = session
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead);
        let transaction = builder.start().await.unwrap();
        // An old snapshot, taken long before the reads.
        transaction
            .query_typed("SELECT count(*) FROM eventcore.events", &[])
            .await
            .unwrap();
        for _ in 0..4 {
            random.nap(5_000).await;
            let max = 1 + random.below(100) as i64;
            follower.take(read_all(&transaction, follower.last(), max).await.unwrap());
        }
        transaction.commit().await.unwrap();
        transactions += 1;
    }
    (
        follower,
        format!("{transactions} transactions in REPEATABLE READ"),
    )
}

pub(super) async fn listening_reader(url: String, done: Arc<AtomicBool>) -> (Follower, String) {
    let mut listener = listen(&url).await;
    let mut follower = Follower::new("LISTEN");
    let (mut woken, mut alone) = (0, 0);
    while !is_at_end(&listener.session, &follower, &done).await {
        let payload = tokio::time::timeout(Duration::from_secs(5), listener.payloads.recv()).await;
        match payload {
            Ok(payload) => {
                // Announced events are readable.
                let payload = payload.unwrap();
                assert!(payload <= safe_position(&*listener.session).await.unwrap());
                woken += 1;
            }
            Err(_) => alone += 1,
        }
        loop {
            let events = read_all(&*listener.session, follower.last(), 200)
                .await
                .unwrap();
            if events.is_empty() {
                break;
            }
            follower.take(events);
        }
    }
    (
        follower,
        format!("{woken} notifications ({alone} times none for 5 s)"),
    )
}

pub(super) async fn waiting_reader(url: String, done: Arc<AtomicBool>) -> (Follower, String) {
    let session = connect(&url).await;
    let mut follower = Follower::new("eventcore_wait");
    let (mut calls, mut after) = (0, 0);
    while !is_at_end(&session, &follower, &done).await {
        let safe = wait(&*session, after, 2).await.unwrap();
        assert!(
            safe >= after,
            "the safe position went back from {after} to {safe}"
        );
        after = safe;
        calls += 1;
        loop {
            let events = read_all(&*session, follower.last(), 200).await.unwrap();
            if events.is_empty() {
                break;
            }
            follower.take(events);
        }
    }
    (follower, format!("{calls} calls of eventcore_wait"))
}

/// Pages of the newest events, in reverse order.
pub(super) async fn backward_reader(url: String, done: Arc<AtomicBool>) -> Vec<Vec<Seen>> {
    let session = connect(&url).await;
    let mut pages = Vec::new();
    while !done.load(SeqCst) {
        let sql =
            "SELECT position, stream_id, version, event_id FROM eventcore_read_all(0, 40, true)";
        let rows = session.query_typed(sql, &[]).await.unwrap();
        let page: Vec<_> = rows.into_iter().rev().map(Seen::from).collect();
        if !page.is_empty() {
            pages.push(page);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pages
}

/// A wrong reader, which proves that the test can fail.
pub(super) async fn naive_reader(url: String, done: Arc<AtomicBool>) -> HashSet<Uuid> {
    let session = connect(&url).await;
    let (mut last, mut seen) = (0_i64, HashSet::new());
    loop {
        let ended = done.load(SeqCst);
        let rows = session
            .query_typed(
                "SELECT position, event_id FROM eventcore.events WHERE position > $1
                  ORDER BY position LIMIT 50",
                &[(&last, Type::INT8)],
            )
            .await
            .unwrap();
        if rows.is_empty() && ended {
            return seen;
        }
        for row in rows {
            last = row.get(0);
            seen.insert(row.get(1));
        }
    }
}

/// How often the safe position was read, and how often it was below an event that was committed
/// before.
pub(super) async fn sample(url: String, done: Arc<AtomicBool>) -> (u64, u64) {
    let session = connect(&url).await;
    let (mut samples, mut behind) = (0, 0);
    let mut last = 0;
    while !done.load(SeqCst) {
        let row = session
            .query_typed_one(
                "SELECT eventcore_safe_position(), coalesce(max(position), 0) FROM eventcore.events",
                &[],
            )
            .await
            .unwrap();
        let (safe, highest): (i64, i64) = (row.get(0), row.get(1));
        assert!(
            safe >= last,
            "the safe position went back from {last} to {safe}"
        );
        last = safe;
        samples += 1;
        behind += u64::from(highest > safe);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    (samples, behind)
}
