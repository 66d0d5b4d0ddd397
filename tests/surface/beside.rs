//! What an append leaves unchanged: the caller's session, the log, and sessions that connect while
//! the table changes.

use eventcore_harness::{Server, ServerOptions};
use serde_json::json;

use crate::support::{append, connect, database, event, until_waiting, value};

#[tokio::test]
async fn an_append_does_not_change_what_lastval_gives() {
    let (_, client) = database("lastval").await;
    client
        .batch_execute("CREATE SEQUENCE mine START 77; SELECT nextval('mine')")
        .await
        .unwrap();
    append(&client, &[("s", Some(0))], json!([event("s", 1)]))
        .await
        .unwrap();
    assert_eq!(value::<i64>(&client, "SELECT lastval()").await, 77);
}

/// The first append after a start reserves positions and flushes the log. At that moment the log
/// may end exactly at the start of a page.
#[tokio::test]
async fn positions_are_reserved_wherever_in_a_page_the_log_ends() {
    let mut server = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let url = server.create_database("page").unwrap();
    server.restart().unwrap();
    let client = connect(&url).await;
    let mut version = 0;
    for fill in (0..8192).step_by(64) {
        // Draws positions up to the next low-water mark; then one append reserves more, at another
        // place in the log.
        let sql = format!(
            "SELECT pg_logical_emit_message(false, '', repeat('x', {fill}));
             SELECT eventcore_append('{{s}}', '{{{version}}}', (SELECT jsonb_agg(jsonb_build_object(
                 'stream', 's', 'type', 'T', 'payload', 1)) FROM generate_series(1, 40)))"
        );
        client.batch_execute(&sql).await.unwrap();
        version += 40;
    }
    assert!(
        !server.log().contains("past end of generated WAL"),
        "{}",
        server.log_tail(5)
    );
}

/// Session 1 replaces an index and stays open. Session 2 connects meanwhile and waits.
#[tokio::test]
async fn a_session_that_comes_while_an_index_is_replaced_uses_the_new_one() {
    let (url, one) = database("replaced").await;
    one.batch_execute(
        "BEGIN;
         ALTER TABLE eventcore.events DROP CONSTRAINT events_stream_id_version_key;
         ALTER TABLE eventcore.events ADD CONSTRAINT events_stream_id_version_key
             UNIQUE (stream_id, version);",
    )
    .await
    .unwrap();
    let two = connect(&url).await;
    let waiting = tokio::spawn(async move {
        let first = append(&two, &[("s", Some(0))], json!([event("s", 1)])).await;
        let second = append(&two, &[("s", Some(1))], json!([event("s", 1)])).await;
        (first.err(), second.err())
    });
    until_waiting(&one, 1).await;
    one.batch_execute("COMMIT").await.unwrap();
    let (first, second) = waiting.await.unwrap();
    assert!(first.is_none() && second.is_none(), "{first:?}, {second:?}");
}

/// Clients that reconnect after a restart all send their first append at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_appends_after_a_restart_all_succeed() {
    let mut server = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let url = server.create_database("first").unwrap();
    for round in 0..8 {
        let mut clients = Vec::new();
        for _ in 0..12 {
            clients.push(connect(&url).await);
        }
        let appends = clients.into_iter().enumerate().map(|(n, client)| {
            tokio::spawn(async move {
                let name = format!("s{round}-{n}");
                append(&client, &[(&name, Some(0))], json!([event(&name, 1)]))
                    .await
                    .is_ok()
            })
        });
        for append in appends.collect::<Vec<_>>() {
            assert!(append.await.unwrap());
        }
        server.restart().unwrap();
    }
}

/// Settings of the database that could prevent a background worker from working.
#[tokio::test]
async fn the_notifier_works_whatever_the_settings_of_its_database_are() {
    let server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("settings").unwrap();
    connect(&url)
        .await
        .batch_execute(
            "ALTER DATABASE settings SET statement_timeout = 1;
             ALTER DATABASE settings SET default_transaction_isolation = 'serializable'",
        )
        .await
        .unwrap();
    let client = connect(&url).await;
    client
        .batch_execute("SET statement_timeout = 0")
        .await
        .unwrap();
    append(&client, &[("s", Some(0))], json!([event("s", 1)]))
        .await
        .unwrap();
    let settled = "SELECT coalesce(pg_sequence_last_value('eventcore.settled_position'), 0)";
    let begun = std::time::Instant::now();
    while value::<i64>(&client, settled).await != 1 {
        assert!(begun.elapsed().as_secs() < 20, "{}", server.log_tail(10));
        tokio::task::yield_now().await;
    }
}
