//! For two minutes, handlers fail, hang and are cancelled; workers and the notifier are terminated
//! and killed; the server crashes. Meanwhile projections are rebuilt in shadow tables, paused, and
//! their parked events are replayed. The projections' tables are a fold of the events, and no
//! reader ever saw less than before.
//!
//! `EVENTCORE_FIRE_SECONDS` sets another duration; 600 makes it ten minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use eventcore_harness::Server;
use tokio_postgres::types::Type;

use crate::support::*;

const WRITERS: usize = 4;
const SECONDS: u64 = 120;

/// A handler for single events and one for arrays, of a role whose statements may take 300 ms. Each
/// counts and adds up, refuses an event that comes twice or out of order, and sometimes fails or
/// hangs. A third one parks the events on which it fails, so it accepts events in any order.
const SETUP: &str = "
    CREATE ROLE projectionist LOGIN IN ROLE eventcore_projector;
    ALTER ROLE projectionist SET statement_timeout = '300 ms';
    ALTER ROLE projectionist SET search_path = app, public;
    GRANT CREATE ON DATABASE projections TO projectionist;
    CREATE SCHEMA app AUTHORIZATION projectionist;
    SET ROLE projectionist;
    SET search_path = app, public;
    CREATE TABLE app.single (stream_id text PRIMARY KEY, n bigint, positions numeric, version bigint);
    CREATE TABLE app.batched (LIKE app.single INCLUDING ALL);
    CREATE TABLE app.parking (LIKE app.single INCLUDING ALL);
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
            INSERT INTO single AS t VALUES (e.stream_id, 1, e.position, e.version)
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
                INSERT INTO batched AS t VALUES (e.stream_id, 1, e.position, e.version)
                ON CONFLICT (stream_id) DO UPDATE
                   SET n = t.n + 1, positions = t.positions + e.position, version = e.version
                 WHERE t.version = e.version - 1;
                IF NOT FOUND THEN RAISE EXCEPTION 'out of order: % of %', e.version, e.stream_id; END IF;
            END LOOP;
            PERFORM app.misbehave(40);
        END $$;
    CREATE FUNCTION app.park(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO parking AS t VALUES (e.stream_id, 1, e.position, 0)
            ON CONFLICT (stream_id) DO UPDATE SET n = t.n + 1, positions = t.positions + e.position;
            PERFORM app.misbehave(150);
        END $$;
    SELECT eventcore_create_projection('single', 'app.one', retry_limit => 1000, batch_size => 200, tables => '{single}');
    SELECT eventcore_create_projection('batched', 'app.many', retry_limit => 1000, batch_size => 500, tables => '{batched}');
    SELECT eventcore_create_projection('parking', 'app.park', retry_limit => 0, on_error => 'park', batch_size => 200,
                                       tables => '{parking}');
    RESET ROLE";

/// The differences between the events and a projection's table.
const DIFFERENCE: &str = "
    SELECT count(*) FROM (
        SELECT stream_id, count(*) AS n, sum(position) AS positions, max(version) AS version
          FROM eventcore.events GROUP BY stream_id) e
      FULL JOIN app.single s USING (stream_id) FULL JOIN app.batched b USING (stream_id)
      FULL JOIN app.parking p USING (stream_id)
     WHERE (e.n, e.positions, e.version) IS DISTINCT FROM (s.n, s.positions, s.version)
        OR (e.n, e.positions, e.version) IS DISTINCT FROM (b.n, b.positions, b.version)
        OR (e.n, e.positions) IS DISTINCT FROM (p.n, p.positions)";

/// What is left to do.
const LEFT: &str = "
    SELECT (SELECT count(*) FROM eventcore.stat_projections WHERE lag_events > 0 OR rebuilds IS NOT NULL)
         + (SELECT count(*) FROM eventcore.projection_parked)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_the_projections_are_a_fold_of_the_events() {
    let mut server = Server::start(options()).unwrap();
    let url = server.create_database("projections").unwrap();
    connect(&url).await.batch_execute(SETUP).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(url.clone(), number, Arc::clone(&done))))
        .collect();

    let rebuilder = tokio::spawn(rebuild(url.clone(), Arc::clone(&done)));
    let reader = tokio::spawn(read(url.clone(), Arc::clone(&done)));

    let (mut random, start) = (Random::new(), Instant::now());
    let mut did = [0; 5];
    while start.elapsed() < duration() {
        random.nap(800_000).await;
        let session = reconnect(&url, "fire").await;
        let choice = random.below(24);
        let what = match choice {
            0 => {
                // The server, immediately and without a checkpoint.
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

    let rebuilds = in_time("the rebuilder", rebuilder).await.unwrap();
    let reads = in_time("the reader", reader).await.unwrap();

    let session = reconnect(&url, "fire").await;
    // Work in progress ends; random failures would only prolong the test.
    session
        .batch_execute(
            "CREATE OR REPLACE FUNCTION app.misbehave(once_in int) RETURNS void LANGUAGE sql AS 'SELECT'",
        )
        .await
        .unwrap();
    let start = Instant::now();
    while count(&session, LEFT).await > 0 {
        if start.elapsed() > 4 * PATIENCE {
            let state = "SELECT string_agg(s::text, E'\\n') FROM eventcore.stat_projections s";
            let state: String = session.query_one(state, &[]).await.unwrap().get(0);
            panic!(
                "they do not come to an end:\n{state}\n{}",
                server.log_tail(30)
            );
        }
        session.batch_execute(REPLAY).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        count(&session, DIFFERENCE).await,
        0,
        "not a fold of the events"
    );
    let written = count(&session, "SELECT count(*) FROM eventcore.events").await;
    let status = "SELECT count(*) FROM eventcore.projections WHERE status = 'running'";
    assert_eq!(count(&session, status).await, 3);
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'eventcore\\_rebuild\\_%'";
    assert_eq!(count(&session, schemas).await, 0);
    assert!(written > 5_000, "{written}");
    let Rebuilds {
        begun,
        dropped,
        replayed,
    } = rebuilds;
    assert!(begun > dropped && replayed > 0 && reads > 0);
    let [cancelled, terminated, notifiers, killed, crashed] = did;
    println!(
        "projections: {written} events; cancelled {cancelled}, terminated {terminated}, notifiers {notifiers}, \
         killed {killed}, servers {crashed}; rebuilds {begun}, given up {dropped}, replayed {replayed}, reads {reads}"
    );
    let log = server.log();
    for name in [
        "single",
        "batched",
        "parking",
        "single/rebuild",
        "batched/rebuild",
        "parking/rebuild",
    ] {
        assert!(
            log.contains(&format!("projection \"{name}\" failed")),
            "the handler of {name} has never failed"
        );
    }
    assert!(!log.contains("out of order"), "{}", server.log_tail(30));
}

/// How long the test kills things.
fn duration() -> Duration {
    let seconds = std::env::var("EVENTCORE_FIRE_SECONDS").ok();
    Duration::from_secs(seconds.map_or(SECONDS, |seconds| seconds.parse().unwrap()))
}

/// What was done to the projections.
struct Rebuilds {
    begun: usize,
    dropped: usize,
    replayed: i64,
}

const REPLAY: &str = "SELECT eventcore_replay_projection_parked(name) FROM eventcore.projections WHERE name = 'parking'";

/// Failed projections too: a statement that is cancelled before the first event counts as no
/// event's failure, and without retries that is the end.
const RESUME: &str =
    "SELECT eventcore_resume_projection(name) FROM eventcore.projections WHERE status <> 'running'";

/// Rebuilds, drops rebuilds, pauses and replays, until told to stop.
async fn rebuild(url: String, done: Arc<AtomicBool>) -> Rebuilds {
    let mut random = Random::new();
    let (mut begun, mut dropped, mut replayed) = (0, 0, 0);
    while !done.load(SeqCst) {
        let session = reconnect(&url, "rebuilder").await;
        while !done.load(SeqCst) {
            random.nap(600_000).await;
            let name = ["single", "batched", "parking"][random.below(3) as usize];
            let (sql, counts) = match random.below(24) {
                0 => {
                    let pause = "SELECT eventcore_pause_projection($1)";
                    let _ = session.query_typed(pause, &[(&name, Type::TEXT)]).await;
                    random.nap(300_000).await;
                    ("SELECT eventcore_resume_projection($1)", None)
                }
                1 => (
                    "SELECT eventcore_drop_projection($1 || '/rebuild')",
                    Some(&mut dropped),
                ),
                2 => {
                    let _ = session.batch_execute(RESUME).await;
                    continue;
                }
                3..9 => {
                    let replay = session.query_typed(REPLAY, &[]).await;
                    replayed += replay.map_or(0, |rows| rows[0].get(0));
                    continue;
                }
                _ => (
                    "SELECT eventcore_rebuild_projection($1, shadow => true)",
                    Some(&mut begun),
                ),
            };
            match session.query_typed(sql, &[(&name, Type::TEXT)]).await {
                Ok(_) => {
                    if let Some(counts) = counts {
                        *counts += 1;
                    }
                }
                // A rebuild is in progress already, or there is none.
                Err(error) if ["SE003", "SE007"].contains(&sqlstate(&error)) => {}
                Err(_) => break,
            }
        }
        // Whatever happened to the connection, no projection stays paused.
        let session = reconnect(&url, "rebuilder").await;
        let _ = session.batch_execute(RESUME).await;
    }
    let session = reconnect(&url, "rebuilder").await;
    session.batch_execute(RESUME).await.unwrap();
    Rebuilds {
        begun,
        dropped,
        replayed,
    }
}

/// Polls until told to stop: the tables only grow, so a reader never sees less than before.
async fn read(url: String, done: Arc<AtomicBool>) -> usize {
    let (mut before, mut reads) = ([0; 2], 0);
    while !done.load(SeqCst) {
        let session = reconnect(&url, "reader").await;
        while !done.load(SeqCst) {
            let sums = "SELECT (SELECT coalesce(sum(n), 0)::bigint FROM app.single),
                               (SELECT coalesce(sum(n), 0)::bigint FROM app.batched)";
            let Ok(row) = session.query_typed_one(sums, &[]).await else {
                break;
            };
            let now: [i64; 2] = [row.get(0), row.get(1)];
            assert!(
                now[0] >= before[0] && now[1] >= before[1],
                "{before:?}, then {now:?}"
            );
            (before, reads) = (now, reads + 1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    reads
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

/// Appends until told to stop, to shared streams, in transactions that sometimes roll back.
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
