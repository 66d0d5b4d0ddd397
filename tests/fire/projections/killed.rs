//! For a minute: handlers that fail, hang and are cancelled; workers and the notifier that are terminated and
//! killed; a server that goes down. What the projections made of the events is a fold of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use eventcore_harness::Server;
use tokio_postgres::types::Type;

use crate::support::*;

const WRITERS: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);

/// A handler for each event and one for many, as a role whose statements may take 300 ms. Each counts and adds
/// up, refuses an event that comes twice or out of order, and fails or hangs once in a while.
const SETUP: &str = "
    CREATE ROLE projectionist LOGIN IN ROLE eventcore_projector;
    ALTER ROLE projectionist SET statement_timeout = '300 ms';
    CREATE SCHEMA app AUTHORIZATION projectionist;
    SET ROLE projectionist;
    SET search_path = app, public;
    CREATE TABLE app.single (stream_id text PRIMARY KEY, n bigint, positions numeric, version bigint);
    CREATE TABLE app.batched (LIKE app.single INCLUDING ALL);
    CREATE FUNCTION app.misbehave(once_in int) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF random() * once_in < 1 THEN
                RAISE EXCEPTION 'it went wrong' USING ERRCODE = 'P0099';
            ELSIF random() * once_in * 4 < 1 THEN
                PERFORM pg_sleep(5);
            END IF;
        END $$;
    CREATE FUNCTION app.one(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO app.single AS t VALUES (e.stream_id, 1, e.position, e.version)
            ON CONFLICT (stream_id) DO UPDATE
               SET n = t.n + 1, positions = t.positions + e.position, version = e.version
             WHERE t.version = e.version - 1;
            IF NOT FOUND THEN RAISE EXCEPTION 'out of order: % of %', e.version, e.stream_id; END IF;
            PERFORM app.misbehave(3000);
        END $$;
    CREATE FUNCTION app.many(events eventcore.events[]) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE e eventcore.events;
        BEGIN
            FOREACH e IN ARRAY events LOOP
                INSERT INTO app.batched AS t VALUES (e.stream_id, 1, e.position, e.version)
                ON CONFLICT (stream_id) DO UPDATE
                   SET n = t.n + 1, positions = t.positions + e.position, version = e.version
                 WHERE t.version = e.version - 1;
                IF NOT FOUND THEN RAISE EXCEPTION 'out of order: % of %', e.version, e.stream_id; END IF;
            END LOOP;
            PERFORM app.misbehave(40);
        END $$;
    SELECT eventcore_create_projection('single', 'app.one', retry_limit => 1000, batch_size => 200);
    SELECT eventcore_create_projection('batched', 'app.many', retry_limit => 1000, batch_size => 500);
    RESET ROLE";

/// What differs between the events and what a projection made of them.
const DIFFERENCE: &str = "
    SELECT count(*) FROM (
        SELECT stream_id, count(*) AS n, sum(position) AS positions, max(version) AS version
          FROM eventcore.events GROUP BY stream_id) e
      FULL JOIN app.single s USING (stream_id) FULL JOIN app.batched b USING (stream_id)
     WHERE (e.n, e.positions, e.version) IS DISTINCT FROM (s.n, s.positions, s.version)
        OR (e.n, e.positions, e.version) IS DISTINCT FROM (b.n, b.positions, b.version)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_the_projections_are_a_fold_of_the_events() {
    let mut server = Server::start(options()).unwrap();
    let url = server.create_database("projections").unwrap();
    connect(&url).await.batch_execute(SETUP).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(url.clone(), number, Arc::clone(&done))))
        .collect();

    let (mut random, start) = (Random::new(), Instant::now());
    let mut did = [0; 5];
    while start.elapsed() < MINUTE {
        random.nap(800_000).await;
        let session = reconnect(&url, "fire").await;
        let choice = random.below(24);
        let what = match choice {
            0 => {
                // The server, at once and with no checkpoint.
                server.crash().unwrap();
                server.start_again().unwrap();
                4
            }
            1 => match pid(&session, "eventcore projection worker").await {
                Some(worker) => {
                    server.signal(worker.unsigned_abs(), "KILL").unwrap();
                    3
                }
                None => continue,
            },
            2 | 3 => match pid(&session, "eventcore notifier").await {
                Some(notifier) if send(&session, "pg_terminate_backend", notifier).await => 2,
                _ => continue,
            },
            _ => match pid(&session, "eventcore projection worker").await {
                Some(worker) if choice < 12 => {
                    usize::from(send(&session, "pg_terminate_backend", worker).await)
                }
                Some(worker) => {
                    send(&session, "pg_cancel_backend", worker).await;
                    0
                }
                None => continue,
            },
        };
        did[what] += 1;
    }
    done.store(true, SeqCst);
    for writer in writers {
        in_time("a writer", writer).await.unwrap();
    }

    let session = reconnect(&url, "fire").await;
    let start = Instant::now();
    let left = "SELECT count(*) FROM eventcore.stat_projections WHERE lag_events > 0";
    while count(&session, left).await > 0 {
        assert!(start.elapsed() < 4 * PATIENCE, "they do not come to an end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        count(&session, DIFFERENCE).await,
        0,
        "not a fold of the events"
    );
    let written = count(&session, "SELECT count(*) FROM eventcore.events").await;
    let status = "SELECT count(*) FROM eventcore.projections WHERE status = 'running' AND last_error IS NOT NULL";
    assert_eq!(count(&session, status).await, 2, "no handler has failed");
    assert!(written > 5_000, "{written}");
    let [cancelled, terminated, notifiers, killed, crashed] = did;
    println!(
        "projections: {written} events; cancelled {cancelled}, terminated {terminated}, notifiers {notifiers}, \
         killed {killed}, servers {crashed}"
    );
    let log = server.log();
    assert!(!log.contains("out of order"), "{}", server.log_tail(30));
}

async fn count(session: &Session, sql: &str) -> i64 {
    session.query_one(sql, &[]).await.unwrap().get(0)
}

/// A process of this kind in this database, if there is one.
async fn pid(session: &Session, kind: &str) -> Option<i32> {
    let sql = "SELECT pid FROM pg_stat_activity
                WHERE backend_type = $1 AND datname = current_database() ORDER BY random() LIMIT 1";
    let rows = session.query_typed(sql, &[(&kind, Type::TEXT)]).await;
    rows.ok()?.first().map(|row| row.get(0))
}

async fn send(session: &Session, function: &str, pid: i32) -> bool {
    let sql = format!("SELECT {function}({pid})");
    session.batch_execute(&sql).await.is_ok()
}

/// Appends until told to stop, to streams that are shared, in transactions that sometimes roll back.
async fn write(url: String, number: usize, done: Arc<AtomicBool>) {
    let mut random = Random::new();
    while !done.load(SeqCst) {
        let mut session = reconnect(&url, "writer").await;
        while !done.load(SeqCst) {
            let own = format!("own-{number}-{}", random.below(20));
            let shared = format!("shared-{}", random.below(10));
            let append = Append::new()
                .check(&own, None)
                .event(&own)
                .event(&own)
                .check(&shared, None)
                .event(&shared);
            if append_or_not(&mut session, &append, &mut random)
                .await
                .is_err()
            {
                break;
            }
            random.nap(20_000).await;
        }
    }
}

async fn append_or_not(
    session: &mut Session,
    append: &Append,
    random: &mut Random,
) -> Result<(), tokio_postgres::Error> {
    let transaction = session.transaction().await?;
    append.send(&transaction).await?;
    if random.once_in(10) {
        transaction.rollback().await
    } else {
        transaction.commit().await
    }
}
