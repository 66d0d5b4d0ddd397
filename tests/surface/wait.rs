//! `eventcore_wait`: waiting for events without LISTEN, `P11`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, append, connect, event, failure, server_with_workers, value};

/// A database in which there is a slot for a notifier, and a session in it.
pub(crate) async fn database(name: &str) -> (String, Client) {
    let url = server_with_workers().create_database(name).unwrap();
    let client = connect(&url).await;
    (url, client)
}

pub(crate) async fn write(client: &Client) -> i64 {
    append(client, &[("w", None)], json!([event("w", 1)]))
        .await
        .unwrap()
        .positions
        .unwrap()
        .1
}

/// An append, and enough time for the notifier to start.
pub(crate) async fn write_and_settle(client: &Client) -> i64 {
    let position = write(client).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    position
}

async fn wait(client: &Client, after: i64, timeout: &str) -> i64 {
    value(
        client,
        &format!("CALL eventcore_wait({after}, '{timeout}')"),
    )
    .await
}

#[tokio::test]
async fn wait_returns_at_once_when_something_is_there() {
    let (_, client) = database("wait_at_once").await;
    let position = write(&client).await;
    for after in [0, position - 1] {
        let started = Instant::now();
        assert_eq!(wait(&client, after, "1 minute").await, position);
        assert!(started.elapsed() < Duration::from_millis(500));
    }
    for sql in [
        "CALL eventcore_wait(0)",
        "CALL eventcore_wait(after_position => 0, timeout => '1 hour')",
        "CALL eventcore_wait(0, '0')",
        "CALL eventcore_wait(0, '178000000 years', 17)",
    ] {
        assert_eq!(value::<i64>(&client, sql).await, position, "{sql}");
    }
}

#[tokio::test]
async fn wait_gives_up_in_time_and_says_where_it_is() {
    let (_, client) = database("wait_in_time").await;
    let rolled_back =
        "BEGIN; SELECT eventcore_append('{a}', '{0}', '{a}', '{A}', '{1}', NULL); ROLLBACK";
    client.batch_execute(rolled_back).await.unwrap();
    let safe: i64 = value(&client, "SELECT eventcore_safe_position()").await;
    // A position that is reserved, and whose event comes later.
    for after in [safe, 1_000] {
        for (timeout, millis) in [("0", 0), ("20 ms", 20), ("400 ms", 400), ("1.3 s", 1_300)] {
            let started = Instant::now();
            assert_eq!(wait(&client, after, timeout).await, safe);
            let elapsed = started.elapsed();
            let least = Duration::from_millis(millis);
            assert!(
                elapsed >= least && elapsed < least + Duration::from_millis(500),
                "{elapsed:?}"
            );
        }
    }
}

/// Well before the second after which it would look by itself.
#[tokio::test]
async fn wait_is_woken_by_the_commit_of_another_session() {
    let (url, writer) = database("wait_woken").await;
    let mut position = write_and_settle(&writer).await;
    let mut elapsed = Vec::new();
    for round in 0..8 {
        let waiter = connect(&url).await;
        let after = position;
        let waiting =
            tokio::spawn(async move { (wait(&waiter, after, "20 s").await, Instant::now()) });
        tokio::time::sleep(Duration::from_millis(50 + 37 * round)).await;
        position = write(&writer).await;
        let committed = Instant::now();
        let (safe, woken) = waiting.await.unwrap();
        assert_eq!(safe, position);
        elapsed.push(woken.saturating_duration_since(committed));
    }
    elapsed.sort_unstable();
    assert!(elapsed[6] < Duration::from_millis(200), "{elapsed:?}");
}

#[tokio::test]
async fn wait_is_woken_when_a_slow_append_no_longer_holds_the_safe_position() {
    let (url, quick) = database("wait_slow").await;
    let before = write_and_settle(&quick).await;
    for end in ["COMMIT", "ROLLBACK"] {
        let after = value::<i64>(&quick, "SELECT eventcore_safe_position()")
            .await
            .max(before);
        let slow = connect(&url).await;
        slow.batch_execute("BEGIN").await.unwrap();
        let held = append(&slow, &[("slow", None)], json!([event("slow", 1)]))
            .await
            .unwrap();
        let waiter = connect(&url).await;
        let waiting = tokio::spawn(async move { wait(&waiter, after, "20 s").await });
        let position = write(&quick).await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(!waiting.is_finished(), "{held:?}");
        slow.batch_execute(end).await.unwrap();
        let ended = Instant::now();
        assert_eq!(waiting.await.unwrap(), position);
        assert!(
            ended.elapsed() < Duration::from_millis(500),
            "{end}: {:?}",
            ended.elapsed()
        );
    }
}

#[tokio::test]
async fn many_wait_at_once_and_all_are_woken() {
    let (url, writer) = database("wait_many").await;
    let after = write_and_settle(&writer).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let waiter = connect(&url).await;
        waiting.push(tokio::spawn(
            async move { wait(&waiter, after, "20 s").await },
        ));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let position = write(&writer).await;
    let written = Instant::now();
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap(), position);
    }
    assert!(
        written.elapsed() < Duration::from_millis(500),
        "{:?}",
        written.elapsed()
    );
}

#[tokio::test]
async fn wait_refuses_a_transaction_block_and_whatever_is_atomic() {
    let (_, client) = database("wait_blocks").await;
    write(&client).await;
    client
        .batch_execute(
            "CREATE FUNCTION waits() RETURNS bigint LANGUAGE plpgsql AS $$
             DECLARE safe bigint; BEGIN CALL eventcore_wait(0, '1 s', safe); RETURN safe; END $$;
             CREATE PROCEDURE waits_inside() LANGUAGE plpgsql AS $$ BEGIN PERFORM waits(); END $$",
        )
        .await
        .unwrap();
    for sql in [
        "BEGIN; CALL eventcore_wait(0)",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; CALL eventcore_wait(0)",
        "BEGIN; SAVEPOINT s; CALL eventcore_wait(0)",
        "SELECT 1; CALL eventcore_wait(0)",
        "SELECT waits()",
        "CALL waits_inside()",
        "BEGIN; DO $$ DECLARE safe bigint; BEGIN CALL eventcore_wait(0, '1 s', safe); END $$",
        "DO $$ DECLARE safe bigint; BEGIN PERFORM waits(); END $$",
        "DO $$ DECLARE safe bigint;
         BEGIN BEGIN CALL eventcore_wait(0, '1 s', safe); EXCEPTION WHEN division_by_zero THEN END; END $$",
    ] {
        let failed = failure(client.batch_execute(sql).await);
        client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(failed.assert_ours("SE009"), json!({"reason": "transaction_block"}), "{sql}");
    }
    assert!(wait(&client, 0, "1 s").await > 0);
}

/// A DO block outside of a transaction block may end transactions, like a procedure. Either the
/// call is refused, or it holds nothing while it waits and the block continues afterwards.
#[tokio::test]
async fn wait_in_a_do_block_is_refused_or_holds_nothing() {
    let (url, client) = database("wait_do").await;
    write_and_settle(&client).await;
    let observer = connect(&url).await;
    let pid: i32 = value(&client, "SELECT pg_backend_pid()").await;
    let block = client.batch_execute(
        "DO $$ DECLARE safe bigint; n int := 1; BEGIN
             FOR i IN 1..3 LOOP
                 n := n + (SELECT count(*)::int FROM eventcore.events);
                 CALL eventcore_wait(1000, '400 ms', safe);
                 IF safe IS NULL OR n < 2 THEN RAISE 'no position'; END IF;
             END LOOP;
         END $$",
    );
    let look = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        xmin_of(&observer, pid).await
    };
    let (outcome, xmin) = tokio::join!(block, look);
    match outcome {
        Ok(()) => assert_eq!(xmin, None),
        Err(error) => {
            crate::support::Failure::from(error).assert_ours("SE009");
        }
    }
    assert!(wait(&client, 0, "1 s").await > 0);
}

async fn xmin_of(observer: &Client, pid: i32) -> Option<String> {
    observer
        .query_one(
            "SELECT coalesce(backend_xmin, backend_xid)::text FROM pg_stat_activity WHERE pid = $1",
            &[&pid],
        )
        .await
        .unwrap()
        .get(0)
}

/// In a fresh database the safe position is read from the table, and that holds no snapshot either.
#[tokio::test]
async fn wait_holds_no_snapshot_so_that_vacuum_can_remove_what_is_deleted_meanwhile() {
    for fresh in [true, false] {
        let (url, client) = database(&format!("wait_vacuum_{fresh}")).await;
        if !fresh {
            write_and_settle(&client).await;
        }
        client
            .batch_execute("CREATE TABLE t AS SELECT generate_series(1, 1000) a")
            .await
            .unwrap();
        let waiter = connect(&url).await;
        let pid: i32 = value(&waiter, "SELECT pg_backend_pid()").await;
        let after = if fresh { 0 } else { 1_000 };
        let waiting = tokio::spawn(async move {
            // Through the extended protocol, after a statement that took a snapshot.
            waiter.query("SELECT count(*) FROM t", &[]).await.unwrap();
            wait(&waiter, after, "2500 ms").await
        });
        for pause in [300, 1_100] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            assert_eq!(xmin_of(&client, pid).await, None, "fresh: {fresh}");
        }
        client.batch_execute("DELETE FROM t").await.unwrap();
        client.batch_execute("VACUUM t").await.unwrap();
        assert_eq!(
            value::<i64>(&client, "SELECT pg_relation_size('t')").await,
            0,
            "fresh: {fresh}"
        );
        assert!(!waiting.is_finished());
        waiting.await.unwrap();
    }
}

#[tokio::test]
async fn wait_ends_with_the_statement_timeout_with_a_cancel_and_with_the_session() {
    let (url, client) = database("wait_cancel").await;
    write_and_settle(&client).await;
    let waiter = connect(&url).await;
    waiter
        .batch_execute("SET statement_timeout = '200ms'")
        .await
        .unwrap();
    let started = Instant::now();
    let failed = failure(waiter.batch_execute("CALL eventcore_wait(1000)").await);
    assert_eq!(failed.code, "57014");
    assert!(
        started.elapsed() < Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );

    waiter
        .batch_execute("SET statement_timeout = 0")
        .await
        .unwrap();
    let pid: i32 = value(&waiter, "SELECT pg_backend_pid()").await;
    let started = Instant::now();
    let (ended, _) = tokio::join!(waiter.batch_execute("CALL eventcore_wait(1000)"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client
            .execute("SELECT pg_cancel_backend($1)", &[&pid])
            .await
            .unwrap()
    });
    assert_eq!(failure(ended).code, "57014");
    assert!(
        started.elapsed() < Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );
    // And it can wait again afterwards.
    assert!(wait(&waiter, 0, "1 s").await > 0);

    let (ended, _) = tokio::join!(waiter.batch_execute("CALL eventcore_wait(1000)"), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client
            .execute("SELECT pg_terminate_backend($1)", &[&pid])
            .await
            .unwrap()
    });
    assert_eq!(failure(ended).code, "57P01");
    write(&client).await;
}

#[tokio::test]
async fn wait_takes_parameters_through_the_extended_protocol() {
    let (_, client) = database("wait_extended").await;
    let position = write(&client).await;
    let sql = "CALL eventcore_wait($1, make_interval(secs => $2), NULL)";
    let statement = client.prepare(sql).await.unwrap();
    for (after, expected_least) in [(0_i64, 0), (position, 100)] {
        let started = Instant::now();
        let row = client
            .query_one(&statement, &[&after, &0.1_f64])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i64>("safe_position"), position);
        assert!(started.elapsed() >= Duration::from_millis(expected_least));
    }
}
