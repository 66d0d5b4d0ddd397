//! An execution that is cancelled anywhere, also while it reads, leaves nothing behind.

use eventcore_harness::{Server, ServerOptions};
use serde_json::json;

use super::execute;
use super::long::{CHAIN, fill, register_with};
use crate::support::{Client, connect, failure, value};

/// The memory of the library in this session, and its locks.
async fn left(client: &Client) -> (i64, i64) {
    let memory =
        "SELECT count(*) FROM pg_backend_memory_contexts WHERE name ILIKE '%eventcore scratch%'";
    let locks =
        "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'";
    (value(client, memory).await, value(client, locks).await)
}

/// The server warns at a commit of what is still open: pins, snapshots, tables.
#[tokio::test]
async fn an_execution_that_is_cancelled_while_it_reads_leaves_nothing_open() {
    let server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("stopped").unwrap();
    let client = connect(&url).await;
    client.batch_execute(CHAIN).await.unwrap();
    // Cheap functions, so that the time is spent with reading.
    let cheap = "CREATE FUNCTION cheap(state jsonb, events eventcore.events[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
                     'SELECT to_jsonb(cardinality($2))'";
    client.batch_execute(cheap).await.unwrap();
    fill(&client, "long", 10_000).await;
    fill(&client, "short", 99).await;
    let large = "SELECT eventcore_append('{large}', '{NULL}', array_agg('large'::text), array_agg('Large'::text),
                     array_agg((SELECT to_jsonb(string_agg(md5(m::text || n), '')) FROM generate_series(1, 300) m)), NULL)
                   FROM generate_series(1, 90) n";
    client.batch_execute(large).await.unwrap();
    let (mut cancelled, mut done) = (0, 0);
    for every in [0, 1_000_000] {
        register_with(&client, "cheap", &format!(", snapshot_every => {every}")).await;
        for stream in ["long", "short", "large"] {
            for timeout in 1..=20 {
                client
                    .batch_execute("BEGIN; SAVEPOINT before")
                    .await
                    .unwrap();
                let set = format!("SET LOCAL statement_timeout = {timeout}");
                client.batch_execute(&set).await.unwrap();
                // Several, so that the time ends at any place of one.
                let many = format!(
                    "SELECT count(eventcore_execute_compact('chain', '{{\"streams\": \"{stream}\", \"checked\": [], \"to\": []}}')) FROM generate_series(1, 200) n"
                );
                match client.batch_execute(&many).await {
                    Ok(()) => done += 1,
                    failed => {
                        assert_eq!(failure(failed).code, "57014");
                        cancelled += 1;
                        client.batch_execute("ROLLBACK TO before").await.unwrap();
                    }
                }
                let again = "ROLLBACK TO before; SET LOCAL statement_timeout = 0";
                client.batch_execute(again).await.unwrap();
                assert_eq!(left(&client).await, (0, 0));
                let input = json!({"streams": stream, "checked": [], "to": []});
                execute(&client, "chain", input).await.unwrap();
                client.batch_execute("COMMIT").await.unwrap();
                assert_eq!(left(&client).await, (0, 0));
            }
        }
    }
    println!("{cancelled} cancelled, {done} done");
    assert!(cancelled > 0);
    let log = server.log();
    for leak in ["WARNING", "PANIC", "leak", "still active", "not closed"] {
        assert!(!log.contains(leak), "{leak}: {}", server.log_tail(30));
    }
    // No pin holds it up.
    let set = "SET statement_timeout = '60 s'";
    client.batch_execute(set).await.unwrap();
    let vacuum = "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) eventcore.events";
    client.batch_execute(vacuum).await.unwrap();
}
