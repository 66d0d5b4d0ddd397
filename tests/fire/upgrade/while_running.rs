//! The update while writers, readers, consumers and projections are at work: nothing is skipped,
//! nothing is repeated, and nobody sees an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};

use tokio_postgres::types::Type;

use super::made_up::{PRESENT, SERVED};
use super::*;

const WRITERS: usize = 4;
/// How many events are appended before the update, and after it.
const EVENTS: i64 = 200;

/// With a closed stream, appends look at `eventcore.streams`, which the update locks.
const SETUP: &str = "
    INSERT INTO eventcore.streams (stream_id, state) VALUES ('closed', 'closed');
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.seen VALUES (e.position)';
    CREATE TABLE delivered (position bigint);
    SELECT eventcore_create_projection('seen', 'see');
    SELECT eventcore_create_subscription('delivered', lease => '1 hour')";

/// Takes events and acknowledges them in the transaction of their effect.
const CONSUME: &str = "
    WITH taken AS MATERIALIZED (SELECT lease_id, position FROM eventcore_poll('delivered', 'consumer', 10, '10 ms')),
         written AS (INSERT INTO delivered SELECT position FROM taken RETURNING position)
    SELECT count(eventcore_ack('delivered', lease_id, ARRAY[position])) FROM taken JOIN written USING (position)";

#[tokio::test]
async fn writers_readers_consumers_and_projections_go_on_through_an_update() {
    let server = versions();
    let url = create(server, "running", SERVED);
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    let (stop, appended) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicI64::new(0)),
    );
    // Who reads ends after those who write: an append may be under way when these are told to stop.
    let all_appended = Arc::new(AtomicBool::new(false));

    let mut writing = Vec::new();
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let writer = connect(&url).await;
        writers.push(writer.pid);
        let (stop, appended) = (stop.clone(), appended.clone());
        writing.push(tokio::spawn(async move {
            while !stop.load(SeqCst) {
                append_one(&*writer, &format!("stream {number}")).await;
                appended.fetch_add(1, SeqCst);
            }
        }));
    }
    let consumer = connect(&url).await;
    let ended = all_appended.clone();
    let consuming = tokio::spawn(async move {
        loop {
            let last = ended.load(SeqCst);
            let row = consumer.query_typed_one(CONSUME, &[]).await.unwrap();
            if last && row.get::<_, i64>(0) == 0 {
                break;
            }
        }
    });
    let reader = connect(&url).await;
    let ended = all_appended.clone();
    let follower = tokio::spawn(async move {
        let (mut seen, mut at) = (Vec::new(), 0);
        loop {
            let last = ended.load(SeqCst);
            let next = read_all(&*reader, at, 50).await.unwrap();
            if last && next.is_empty() && safe_position(&*reader).await.unwrap() <= at {
                return seen;
            }
            at = next.last().map_or(at, |event| event.position);
            seen.extend(next);
        }
    });

    let enough = async |count: i64| {
        eventually("appends", async || appended.load(SeqCst) >= count).await;
    };
    enough(EVENTS).await;
    // The update stands still in its middle until every writer waits for it.
    session
        .batch_execute("SELECT pg_advisory_lock(42)")
        .await
        .unwrap();
    let updating = connect(&url).await;
    let pid = updating.pid;
    let update = tokio::spawn(async move {
        updating
            .batch_execute("ALTER EXTENSION eventcore UPDATE")
            .await
    });
    is_waiting(&session, pid).await;
    for writer in writers {
        eventually("a writer waits for the update", async || {
            let sql = "SELECT $1 = ANY (pg_blocking_pids($2))";
            let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
                [(&pid, Type::INT4), (&writer, Type::INT4)];
            let row = session.query_typed_one(sql, &parameters).await.unwrap();
            row.get(0)
        })
        .await;
    }
    session
        .batch_execute("SELECT pg_advisory_unlock(42)")
        .await
        .unwrap();
    update.await.unwrap().unwrap();
    enough(appended.load(SeqCst) + EVENTS).await;
    stop.store(true, SeqCst);
    for writer in writing {
        writer.await.unwrap();
    }
    all_appended.store(true, SeqCst);
    consuming.await.unwrap();
    assert_eq!(version(server, "running"), PRESENT);

    let truth = truth(&*session).await;
    assert_eq!(follower.await.unwrap(), truth);
    session
        .batch_execute(
            "CALL eventcore_wait_for_projection('seen', eventcore_safe_position(), '30 s')",
        )
        .await
        .unwrap();
    let positions: Vec<i64> = truth.iter().map(|event| event.position).collect();
    for table in ["seen", "delivered"] {
        let sql = format!("SELECT array_agg(position ORDER BY position) FROM {table}");
        let row = session.query_one(&sql, &[]).await.unwrap();
        assert_eq!(row.get::<_, Vec<i64>>(0), positions, "{table}");
    }
}
