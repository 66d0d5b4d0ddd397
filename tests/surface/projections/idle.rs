//! Many projections that match few events: a worker looks at new events once for all of them, and
//! none gets another event, or an event twice, because of that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_postgres::Client;

use super::{create, database, until, wait, write};
use crate::support::{append, connect, value};

/// Creates 50 projections, `idle-1` and on, that match no event.
async fn idle(client: &Client) {
    let sql = "SELECT eventcore_create_projection('idle-' || n, 'see', event_types => ARRAY['Never' || n],
                                                  start_from => 'now')
                 FROM generate_series(1, 50) n";
    client.batch_execute(sql).await.unwrap();
}

/// Appends these events one by one, each in sight of the workers before the next one.
async fn write_singly(client: &Client, numbers: std::ops::RangeInclusive<i64>) -> i64 {
    let mut last = 0;
    for n in numbers {
        last = write(client, "a", n..=n).await;
        let read = format!("CALL eventcore_wait({})", last - 1);
        client.batch_execute(&read).await.unwrap();
    }
    last
}

/// The processes report what they have read when they end.
async fn drop_all(client: &Client) {
    let sql = "SELECT eventcore_drop_projection(name) FROM eventcore.projections";
    client.batch_execute(sql).await.unwrap();
    let none = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                                      AND backend_type = 'eventcore projection worker')";
    until(client, none).await;
}

/// How many events were found by their positions.
async fn events_read(client: &Client) -> i64 {
    let sql = "SELECT pg_stat_get_tuples_returned('eventcore.events_pkey'::regclass)";
    value(client, sql).await
}

#[tokio::test]
async fn fifty_idle_projections_read_a_new_event_once_for_each_worker() {
    let (_, client) = database("idle_reads").await;
    create(&client, "first", "see_many", ", event_types => '{Never}'").await;
    write_singly(&client, 1..=1).await;
    wait(&client, "first").await.unwrap();
    drop_all(&client).await;
    let before = events_read(&client).await;
    idle(&client).await;
    let workers = "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database()
                      AND backend_type = 'eventcore projection worker'";
    until(&client, workers).await;
    let last = write_singly(&client, 1..=200).await;
    let behind =
        format!("SELECT NOT EXISTS (SELECT FROM eventcore.projections WHERE checkpoint < {last})");
    until(&client, &behind).await;
    drop_all(&client).await;
    let read = events_read(&client).await - before;
    // 50 times as many if each projection reads for itself.
    assert!((200..=1_000).contains(&read), "{read} events read");
}

/// Counts how often checkpoints are written, and in which transactions.
const COUNTED: &str = "
    CREATE TABLE written (name text, xid xid8 DEFAULT pg_current_xact_id());
    CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.written VALUES (new.name); RETURN NULL; END $$;
    CREATE TRIGGER counted AFTER UPDATE ON eventcore.projections
        FOR EACH ROW WHEN (old.checkpoint <> new.checkpoint) EXECUTE FUNCTION count_it()";

#[tokio::test]
async fn fifty_idle_projections_write_their_checkpoints_in_one_transaction_a_second() {
    let (_, client) = database("idle_writes").await;
    client.batch_execute(COUNTED).await.unwrap();
    idle(&client).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        write_singly(&client, 1..=10).await;
    }
    let last = write_singly(&client, 1..=1).await;
    let behind =
        format!("SELECT NOT EXISTS (SELECT FROM eventcore.projections WHERE checkpoint < {last})");
    until(&client, &behind).await;
    let seconds = i64::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    let most = "SELECT max(n) FROM (SELECT count(*) AS n FROM written GROUP BY name) t";
    let most: i64 = value(&client, most).await;
    assert!(most <= seconds + 1, "{most} times in {seconds} s");
    let transactions: i64 = value(&client, "SELECT count(DISTINCT xid) FROM written").await;
    // Two workers, each of which may also have found a row that the other one was writing.
    assert!(
        transactions <= 3 * (seconds + 1),
        "{transactions} in {seconds} s"
    );
}

/// The ways to name events: by type, by the beginning of the stream, by both, by several.
const FILTERS: &[(&str, &str)] = &[
    ("every", ""),
    ("type", "event_types => '{A}'"),
    ("types", "event_types => '{A,B,AB}'"),
    ("prefix", "stream_prefixes => '{acc}'"),
    ("prefixes", "stream_prefixes => '{acc,account-1,ä,order-}'"),
    ("whole", "stream_prefixes => '{account-1}'"),
    ("longer", "stream_prefixes => '{account-10,account-100}'"),
    ("letter", "stream_prefixes => '{é}'"),
    (
        "both",
        "stream_prefixes => '{account-,é}', event_types => '{B,é}'",
    ),
    ("case", "stream_prefixes => '{ACC}', event_types => '{a}'"),
    ("nothing", "stream_prefixes => '{x}', event_types => '{A}'"),
];

const STREAMS: &[&str] = &[
    "account-1",
    "account-10",
    "account-100",
    "acc",
    "ac",
    "ACC-1",
    "order-",
    "order",
    "é",
    "e\u{301}",
    "ä-1",
    "z",
];
const TYPES: &[&str] = &["A", "B", "AB", "a", "é", "C"];

/// Fills a table of the projection's own.
async fn create_filling(client: &Client, name: &str, more: &str) {
    let sql = format!(
        "CREATE TABLE of_{name} (seq bigserial, position bigint);
         CREATE FUNCTION fill_{name}(e eventcore.events) RETURNS void LANGUAGE sql AS $$
             INSERT INTO public.of_{name} (position) VALUES (e.position) $$"
    );
    client.batch_execute(&sql).await.unwrap();
    create(client, name, &format!("fill_{name}"), more).await;
}

/// The projection has had exactly the events that a read with its filter finds, in their order.
async fn assert_filled(client: &Client, name: &str, filter: &str, from: i64) {
    wait(client, name).await.unwrap();
    let separator = if filter.is_empty() { "" } else { ", " };
    let same = format!(
        "SELECT (SELECT coalesce(array_agg(position ORDER BY seq), '{{}}') FROM of_{name})
              = (SELECT coalesce(array_agg(position ORDER BY position), '{{}}')
                   FROM eventcore_read_all({from}, NULL{separator}{filter}))"
    );
    assert!(value::<bool>(client, &same).await, "{name}");
}

#[tokio::test]
async fn each_filter_admits_the_events_that_a_read_with_it_finds() {
    let (_, client) = database("idle_filters").await;
    idle(&client).await;
    for (name, filter) in FILTERS {
        let more = if filter.is_empty() {
            String::new()
        } else {
            format!(", {filter}")
        };
        create_filling(&client, name, &more).await;
    }
    // First one by one, so that they come while the projections rest, then many at once.
    let mut all = Vec::new();
    for stream in STREAMS {
        for event_type in TYPES {
            let event = json!({"stream": stream, "type": event_type, "payload": {}});
            append(&client, &[(stream, None)], json!([event]))
                .await
                .unwrap();
            all.push(event);
        }
    }
    for _ in 0..20 {
        let declared: Vec<_> = STREAMS.iter().map(|stream| (*stream, None)).collect();
        append(&client, &declared, json!(all)).await.unwrap();
    }
    for (name, filter) in FILTERS {
        assert_filled(&client, name, filter, 0).await;
    }
    let last: i64 = value(&client, "SELECT count(*) FROM of_type").await;
    assert!(last > 20);
}

#[tokio::test]
async fn a_projection_that_is_created_among_appends_gets_each_event_once() {
    let (url, client) = database("idle_created").await;
    idle(&client).await;
    let writer = connect(&url).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let writing = tokio::spawn(async move {
        let mut n = 0;
        while !stopped.load(std::sync::atomic::Ordering::SeqCst) {
            n += 1;
            write(&writer, &format!("s{}", n % 7), n..=n).await;
        }
        writer
    });
    let some = "stream_prefixes => '{s3,s5}', event_types => '{Even}'";
    let none = "event_types => '{Never}'";
    let mut begun = Vec::new();
    for (name, filter) in [
        ("first", ""),
        ("second", some),
        ("third", none),
        ("fourth", ""),
    ] {
        let more = if filter.is_empty() {
            String::new()
        } else {
            format!(", {filter}")
        };
        create_filling(&client, name, &format!("{more}, start_from => 'now'")).await;
        let from = format!("SELECT checkpoint FROM eventcore.projections WHERE name = '{name}'");
        // It may have advanced since, but not past an event that its table lacks.
        begun.push((name, filter, value::<i64>(&client, &from).await));
        write(&client, "between", 1..=2).await;
    }
    // Paused and resumed, it misses nothing.
    client
        .batch_execute("SELECT eventcore_pause_projection('second')")
        .await
        .unwrap();
    write(&client, "s3", 1..=8).await;
    client
        .batch_execute("SELECT eventcore_resume_projection('second')")
        .await
        .unwrap();
    // The same name with another filter.
    client
        .batch_execute("SELECT eventcore_drop_projection('third'); TRUNCATE of_third")
        .await
        .unwrap();
    create(&client, "third", "fill_third", ", event_types => '{Odd}'").await;
    begun[2] = ("third", "event_types => '{Odd}'", 0);
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let writer = writing.await.unwrap();
    write(&writer, "s3", 1..=8).await;
    for (name, filter, from) in begun {
        wait(&client, name).await.unwrap();
        let twice = format!("SELECT count(*) - count(DISTINCT position) FROM of_{name}");
        assert_eq!(value::<i64>(&client, &twice).await, 0, "{name}");
        let positions =
            format!("SELECT position FROM of_{name} WHERE position > {from} ORDER BY seq");
        let had: Vec<i64> = client
            .query(&positions, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let separator = if filter.is_empty() { "" } else { ", " };
        let wanted = format!(
            "SELECT position FROM eventcore_read_all({from}, NULL{separator}{filter}) ORDER BY position"
        );
        let wanted: Vec<i64> = client
            .query(&wanted, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(had, wanted, "{name}");
    }
}

/// The others are not held up by one whose row, or whose lock, a session keeps.
#[tokio::test]
async fn a_locked_projection_keeps_no_other_one_from_going_on() {
    let (url, client) = database("idle_locked").await;
    idle(&client).await;
    create_filling(
        &client,
        "busy",
        ", event_types => '{Odd}', start_from => 'now'",
    )
    .await;
    let (row, lock) = (connect(&url).await, connect(&url).await);
    let keep_row = "BEGIN; SELECT FROM eventcore.projections WHERE name = 'idle-7' FOR UPDATE";
    row.batch_execute(keep_row).await.unwrap();
    let keep_lock = "BEGIN; SELECT eventcore_pause_projection('idle-9')";
    lock.batch_execute(keep_lock).await.unwrap();
    let last = write_singly(&client, 1..=20).await;
    let behind = format!(
        "SELECT array_agg(name ORDER BY name) = '{{idle-7,idle-9}}'
           FROM eventcore.projections WHERE checkpoint < {last}"
    );
    wait(&client, "busy").await.unwrap();
    until(&client, &behind).await;
    for name in ["idle-3", "idle-30"] {
        let pause = format!("SELECT eventcore_pause_projection('{name}')");
        client.batch_execute(&pause).await.unwrap();
    }
    row.batch_execute("COMMIT").await.unwrap();
    lock.batch_execute("ROLLBACK").await.unwrap();
    for name in ["idle-7", "idle-9"] {
        assert_eq!(wait(&client, name).await.unwrap(), last, "{name}");
    }
    let last = write_singly(&client, 1..=1).await;
    let behind = format!(
        "SELECT array_agg(name ORDER BY name) = '{{idle-3,idle-30}}'
           FROM eventcore.projections WHERE checkpoint < {last}"
    );
    until(&client, &behind).await;
}

/// A trigger of the application refuses one checkpoint: that projection fails, and no other one.
#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_is_a_failure_of_its_projection_alone() {
    let (_, client) = database("idle_refused").await;
    idle(&client).await;
    client
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'P0007'; END $$;
             CREATE TRIGGER refused BEFORE UPDATE ON eventcore.projections FOR EACH ROW
                 WHEN (new.name = 'idle-7' AND new.checkpoint > old.checkpoint) EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    let last = write_singly(&client, 1..=20).await;
    let behind = format!(
        "SELECT array_agg(name ORDER BY name) = '{{idle-7}}' FROM eventcore.projections WHERE checkpoint < {last}"
    );
    until(&client, &behind).await;
    let recorded =
        "SELECT last_sqlstate = 'P0007' FROM eventcore.projections WHERE name = 'idle-7'";
    until(&client, recorded).await;
    let others = "SELECT count(*) FROM eventcore.projections WHERE last_error IS NOT NULL";
    assert_eq!(value::<i64>(&client, others).await, 1);
    client
        .batch_execute("DROP TRIGGER refused ON eventcore.projections")
        .await
        .unwrap();
    client
        .batch_execute("SELECT eventcore_resume_projection('idle-7')")
        .await
        .unwrap();
    let last = write_singly(&client, 1..=1).await;
    assert_eq!(wait(&client, "idle-7").await.unwrap(), last);
}

/// Three owners and two workers: each owner has a turn of a second, and then leaves.
#[tokio::test]
async fn idle_projections_of_owners_that_take_turns_keep_up() {
    let (url, client) = database("idle_turns").await;
    for role in ["idle_ann", "idle_bob", "idle_eve"] {
        let sql = format!("CREATE ROLE {role} LOGIN IN ROLE eventcore_projector");
        client.batch_execute(&sql).await.unwrap();
        let owner = connect(&url).await;
        let create = format!(
            "SET SESSION AUTHORIZATION {role};
             SELECT eventcore_create_projection('{role}-' || n, 'see', event_types => '{{Never}}')
               FROM generate_series(1, 5) n"
        );
        owner.batch_execute(&create).await.unwrap();
    }
    for _ in 0..3 {
        let last = write_singly(&client, 1..=10).await;
        let behind = format!(
            "SELECT NOT EXISTS (SELECT FROM eventcore.projections WHERE checkpoint < {last})"
        );
        until(&client, &behind).await;
    }
}

/// A session that waits for one of them is served at once.
#[tokio::test]
async fn a_session_that_waits_for_an_idle_projection_does_not_wait_for_the_second_to_pass() {
    let (_, client) = database("idle_wait").await;
    idle(&client).await;
    let begun = Instant::now();
    let mut names = BTreeSet::new();
    for n in 1..=40 {
        let last = write(&client, "a", 1..=1).await;
        let name = format!("idle-{n}");
        assert_eq!(wait(&client, &name).await.unwrap(), last);
        names.insert(name);
    }
    assert_eq!(names.len(), 40);
    // A second for each would be 40.
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}
