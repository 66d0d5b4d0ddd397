//! `eventcore.stat_executions`: how executions ended.

use serde_json::json;

use super::{bank, command, execute, execute_compact, execute_with};
use crate::support::{Client, connect, database, failure};

/// Executions, repeats, rejections, conflicts, failures.
async fn counts(client: &Client) -> [i64; 5] {
    let sql = "SELECT * FROM eventcore.stat_executions";
    let row = client.query_one(sql, &[]).await.unwrap();
    let names = [
        "executions",
        "repeats",
        "rejections",
        "conflicts",
        "failures",
    ];
    names.map(|name| row.get(name))
}

#[tokio::test]
async fn executions_are_counted_by_how_they_end() {
    let (url, client) = bank("counted").await;
    let other = connect(&url).await;
    let input = |cents| json!({"from": "a", "to": "b", "cents": cents});
    assert_eq!(counts(&client).await, [0; 5]);

    execute(&client, "transfer", input(1)).await.unwrap();
    execute_compact(&client, "transfer", input(1), "")
        .await
        .unwrap();
    assert_eq!(counts(&other).await, [2, 0, 0, 0, 0]);

    let key = ", idempotency_key => 'k'";
    for _ in 0..2 {
        execute_with(&client, "transfer", input(1), key)
            .await
            .unwrap();
    }
    assert_eq!(counts(&other).await, [3, 1, 0, 0, 0]);

    let rejected = execute(&client, "transfer", input(1_000)).await;
    rejected.unwrap_err().assert_ours("SE006");
    assert_eq!(counts(&other).await, [3, 1, 1, 0, 0]);

    // A transaction that keeps its snapshot while another one moves the stream.
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT";
    other.batch_execute(begin).await.unwrap();
    execute(&client, "transfer", input(1)).await.unwrap();
    let late = execute(&other, "transfer", input(1)).await;
    late.unwrap_err().assert_ours("SE001");
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(counts(&other).await, [4, 1, 1, 1, 0]);

    let unknown = execute(&client, "none", input(1)).await;
    unknown.unwrap_err().assert_ours("SE007");
    assert_eq!(counts(&other).await, [4, 1, 1, 1, 1]);
}

/// An error of the server leaves the library as a panic.
#[tokio::test]
async fn what_the_server_ends_is_a_failure_and_what_is_rolled_back_stays_counted() {
    let (_, client) = bank("counted_ends").await;
    command(&client, "slow", "PERFORM pg_sleep(60); RETURN NULL;", "").await;
    let slow =
        "SET statement_timeout = '50 ms'; SELECT eventcore_execute('slow', '{\"streams\": \"a\"}')";
    assert_eq!(failure(client.batch_execute(slow).await).code, "57014");
    assert_eq!(counts(&client).await, [0, 0, 0, 0, 1]);
    client
        .batch_execute(
            "RESET statement_timeout; BEGIN;
             SELECT eventcore_execute('transfer', '{\"from\": \"a\", \"to\": \"b\", \"cents\": 1}'); ROLLBACK",
        )
        .await
        .unwrap();
    assert_eq!(counts(&client).await, [1, 0, 0, 0, 1]);
}

#[tokio::test]
async fn the_counts_begin_with_those_of_appends() {
    let (_, client) = database("counted_since").await;
    let sql = "SELECT a.since = x.since FROM eventcore.stat_appends a, eventcore.stat_executions x";
    let same: bool = client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(same);
}
