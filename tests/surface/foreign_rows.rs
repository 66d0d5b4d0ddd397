//! P4 for rows that SQL inserts with positions of their own: readers see them in order too.

use eventcore_harness::{Server, ServerOptions};

use crate::support::{Client, append, connect, database, event, failure, value};
use serde_json::json;

fn insert(position: i64) -> String {
    format!(
        "INSERT INTO eventcore.events VALUES ({position}, {position}, now(), gen_random_uuid(), 'foreign',
         'Came', '{{}}')"
    )
}

async fn safe(client: &Client) -> i64 {
    value(client, "SELECT eventcore_safe_position()").await
}

async fn positions(client: &Client) -> Vec<i64> {
    value(
        client,
        "SELECT coalesce(array_agg(position), '{}') FROM eventcore_read_all(0, NULL)",
    )
    .await
}

/// Session 1 inserts a row and stays open; session 2 inserts a later row and commits. There has
/// been no append since the server started.
#[tokio::test]
async fn a_reader_waits_for_rows_by_sql_also_before_the_first_append() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("rows").unwrap();
    server.restart().unwrap();
    let (one, two) = (connect(&url).await, connect(&url).await);
    one.batch_execute(&format!("BEGIN; {}", insert(100)))
        .await
        .unwrap();
    two.batch_execute(&insert(200)).await.unwrap();
    assert_eq!(safe(&two).await, 0);
    assert_eq!(positions(&two).await, [] as [i64; 0]);
    one.batch_execute("COMMIT").await.unwrap();
    assert_eq!(positions(&two).await, [100, 200]);
}

/// The positions of such rows are not given out again, whether they commit before or after.
#[tokio::test]
async fn appends_draw_above_rows_by_sql() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("rows").unwrap();
    server.restart().unwrap();
    let (one, two) = (connect(&url).await, connect(&url).await);
    one.batch_execute(&format!("BEGIN; {}", insert(5)))
        .await
        .unwrap();
    for version in 0..10 {
        append(&two, &[("s", Some(version))], json!([event("s", 1)]))
            .await
            .unwrap();
    }
    one.batch_execute("COMMIT").await.unwrap();
    append(&two, &[("s", Some(10))], json!([event("s", 1)]))
        .await
        .unwrap();
    let all = positions(&two).await;
    assert_eq!(all.len(), 12);
    assert_eq!(all[0], 5);
    assert_eq!(safe(&two).await, all[11]);

    two.batch_execute(&insert(1_000_000)).await.unwrap();
    let after = append(&two, &[("s", Some(11))], json!([event("s", 1)]))
        .await
        .unwrap();
    assert!(after.positions.unwrap().0 > 1_000_000);
}

#[tokio::test]
async fn the_trigger_function_does_nothing_but_for_its_trigger() {
    let (_, client) = database("foreign_call").await;
    let failed = failure(
        client
            .batch_execute("SELECT eventcore.before_insert()")
            .await,
    );
    assert_eq!(failed.code, "SE003");
}
