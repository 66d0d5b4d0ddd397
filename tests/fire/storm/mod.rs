//! P6, P11 and P16 at once: appends, executions, imports, subscriptions, projections and readers,
//! while statements are cancelled, sessions are terminated, processes are killed, and locks and
//! disk space run out.
//!
//! `EVENTCORE_LONG` is the duration in seconds: 30 by default, 600 for the long form.

mod small_disk;
mod trouble;
mod work;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use eventcore_harness::Server;
use uuid::Uuid;

use crate::support::*;
use small_disk::SmallDisk;
use work::Worker;

const SETUP: &str = r#"
    CREATE SEQUENCE numbers;
    CREATE TABLE seen_inline (stream text COLLATE "C", version bigint, UNIQUE (stream, version));
    CREATE TABLE seen_async (stream text COLLATE "C" PRIMARY KEY, version bigint NOT NULL);
    CREATE TABLE delivered (number bigserial, stream text COLLATE "C", version bigint);
    CREATE FUNCTION inline_handler(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO seen_inline VALUES (event.stream_id, event.version); END $$;
    CREATE FUNCTION async_handler(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE last bigint := coalesce((SELECT version FROM seen_async WHERE stream = event.stream_id), 0);
    BEGIN
        IF event.version <> last + 1 THEN
            RAISE EXCEPTION 'version % of % after %', event.version, event.stream_id, last;
        END IF;
        INSERT INTO seen_async VALUES (event.stream_id, event.version)
            ON CONFLICT (stream) DO UPDATE SET version = excluded.version;
    END $$;
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
        RETURN jsonb_build_object('count', coalesce((state->>'count')::int, 0) + 1); END $$;
    CREATE FUNCTION decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
        RETURN jsonb_build_array(jsonb_build_object('stream', input->'stream', 'type', 'Done', 'payload',
            jsonb_build_object('key', input->'key', 'number', nextval('numbers'), 'after', state->'count'))); END $$;
    SELECT eventcore_register_command('decide', 'apply', 'decide', streams => '{/stream}', snapshot_every => 10);
    SELECT eventcore_create_projection('inline', 'inline_handler', mode => 'inline', start_from => 'now',
                                       stream_prefixes => '{a}');
    SELECT eventcore_create_projection('async', 'async_handler', batch_size => 100, retry_limit => 1000000);
    SELECT eventcore_create_subscription('s', lease => '3 seconds', retry_limit => 1000000);
"#;

/// What all tasks share.
struct Storm {
    url: String,
    done: AtomicBool,
    /// How often each error occurred.
    errors: std::sync::Mutex<HashMap<String, u64>>,
    statements: AtomicU64,
}

impl Storm {
    fn is_over(&self) -> bool {
        self.done.load(SeqCst)
    }

    /// Counts an error that the faults explain; any other fails the test.
    fn met(&self, error: &tokio_postgres::Error, doing: &str) {
        let code = error.code().map_or("closed", |code| code.code());
        let is_explained = [
            "closed", "57014", "57P01", "57P02", "57P03", "53200", "53100", "53300", "55P03",
            "SE008",
        ]
        .contains(&code);
        assert!(is_explained || error.is_closed(), "{doing}: {error:?}");
        *self
            .errors
            .lock()
            .unwrap()
            .entry(code.to_owned())
            .or_default() += 1;
    }
}

fn seconds() -> u64 {
    let set = std::env::var("EVENTCORE_LONG").ok();
    set.map_or(30, |seconds| {
        seconds
            .parse()
            .expect("EVENTCORE_LONG is a number of seconds")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_done_twice_whatever_fails() {
    let options = options()
        .set("max_locks_per_transaction", "10")
        .set("max_connections", "40")
        .set("max_worker_processes", "8")
        .set("deadlock_timeout", "200ms");
    let server = Server::start(options.without_fsync()).unwrap();
    let disk = SmallDisk::mount(&server);
    let tablespace = disk.as_ref().map_or("pg_default", |_| "small");
    let create = format!("CREATE DATABASE storm TABLESPACE {tablespace}");
    server.psql("postgres", &create).unwrap();
    server.psql("storm", "CREATE EXTENSION eventcore").unwrap();
    server.psql("storm", SETUP).unwrap();
    let storm = Arc::new(Storm {
        url: server.url("storm"),
        done: AtomicBool::new(false),
        errors: std::sync::Mutex::default(),
        statements: AtomicU64::new(0),
    });
    let appenders: Vec<_> = (0..3)
        .map(|n| tokio::spawn(work::append(Worker::new(&storm), n)))
        .collect();
    let executors: Vec<_> = (0..2)
        .map(|n| tokio::spawn(work::execute(Worker::new(&storm), n)))
        .collect();
    let importer = tokio::spawn(work::import(Worker::new(&storm)));
    let consumers: Vec<_> = (0..2)
        .map(|n| tokio::spawn(work::consume(Worker::new(&storm), n)))
        .collect();
    let reader = tokio::spawn(work::read(Worker::new(&storm)));

    let troubles = trouble::make(
        &server,
        &storm,
        disk.as_ref(),
        Duration::from_secs(seconds()),
    )
    .await;
    storm.done.store(true, SeqCst);

    let mut written: HashMap<String, Vec<Uuid>> = HashMap::new();
    for task in appenders {
        written.extend(in_time("appenders", task).await.unwrap());
    }
    written.extend(in_time("the importer", importer).await.unwrap());
    let mut keys: HashMap<String, usize> = HashMap::new();
    for task in executors {
        keys.extend(in_time("executors", task).await.unwrap());
    }
    for task in consumers {
        in_time("consumers", task).await.unwrap();
    }
    let mut follower = in_time("the reader", reader).await.unwrap();

    check(&storm, &written, keys, &mut follower).await;
    trouble::explains(&server, &troubles);
    let met = storm.errors.lock().unwrap();
    println!(
        "{} s: {} statements, {} events, {troubles:?}, errors met: {met:?}",
        seconds(),
        storm.statements.load(SeqCst),
        follower.seen.len()
    );
}

/// Everything that was acknowledged exists once, and all readers saw it once and in order.
async fn check(
    storm: &Storm,
    written: &HashMap<String, Vec<Uuid>>,
    mut keys: HashMap<String, usize>,
    follower: &mut Follower,
) {
    let session = reconnect(&storm.url, "checker").await;
    let truth = truth(&*session).await;
    let mut streams: HashMap<&str, Vec<Uuid>> = HashMap::new();
    for event in &truth {
        streams.entry(&event.stream).or_default().push(event.id);
    }
    for (stream, ids) in written {
        assert_eq!(streams.get(stream.as_str()), Some(ids), "stream {stream}");
    }
    let executed = "SELECT payload->>'key' FROM eventcore.events WHERE event_type = 'Done'";
    for row in session.query_typed(executed, &[]).await.unwrap() {
        let key: String = row.get(0);
        let count = keys
            .get_mut(&key)
            .unwrap_or_else(|| panic!("{key} was not executed"));
        *count += 1;
    }
    let wrong: Vec<_> = keys.iter().filter(|(_, count)| **count != 1).collect();
    assert!(wrong.is_empty(), "not executed once: {wrong:?}");
    let inside: usize = streams
        .iter()
        .filter(|(stream, _)| stream.starts_with('a'))
        .map(|(_, ids)| ids.len())
        .sum();
    assert_eq!(
        count(&session, "SELECT count(*) FROM seen_inline").await,
        inside
    );

    follower.take(
        read_all(&*session, follower.last(), i64::MAX)
            .await
            .unwrap(),
    );
    follower.saw_exactly(&truth);

    let delivered = "SELECT count(*) FROM delivered";
    work::consume_the_rest(storm, &session, truth.len()).await;
    assert_eq!(
        count(&session, delivered).await,
        truth.len(),
        "delivered once"
    );
    let out_of_order = "SELECT count(*) FROM (SELECT version, row_number() OVER (PARTITION BY stream ORDER BY number) n
                          FROM delivered) d WHERE version <> n";
    assert_eq!(count(&session, out_of_order).await, 0, "delivered in order");

    // The handler raises an error unless it gets each event once, in order.
    let all = "SELECT coalesce(sum(version), 0)::bigint FROM seen_async";
    until_complete("the projection", truth.len(), async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        count(&session, all).await
    })
    .await;
}

/// Waits until everything is done, as long as there is progress.
async fn until_complete(what: &str, total: usize, mut done: impl AsyncFnMut() -> usize) {
    let (mut last, mut since) = (0, Instant::now());
    while last < total {
        let now = done().await;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(
            since.elapsed() < PATIENCE,
            "{what} stops at {last} of {total}"
        );
    }
}

async fn count(session: &Session, count: &str) -> usize {
    let count: i64 = session.query_typed_one(count, &[]).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}
