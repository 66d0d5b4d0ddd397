//! Rows of `eventcore.events` that SQL inserts must be rows that an append could have written.

use crate::support::{append, connect, database, event, failure, session, stream, value};
use eventcore_harness::{Server, ServerOptions};
use serde_json::json;

/// One row, and what is wrong with it.
fn row(stream: &str, column: &str, expression: &str) -> String {
    let columns = [
        "position",
        "version",
        "recorded_at",
        "event_id",
        "stream_id",
        "event_type",
        "payload",
        "metadata",
    ];
    let stream = format!("'{stream}'");
    let values = [
        "(SELECT last_value + 5000 FROM eventcore.position_blocks)",
        "1",
        "now()",
        "gen_random_uuid()",
        stream.as_str(),
        "'A'",
        "'1'",
        "NULL",
    ];
    let values: Vec<_> = columns
        .iter()
        .zip(values)
        .map(|(name, value)| if *name == column { expression } else { value })
        .collect();
    format!(
        "INSERT INTO eventcore.events ({}) VALUES ({})",
        columns.join(", "),
        values.join(", ")
    )
}

#[tokio::test]
async fn a_row_with_values_that_no_append_writes_is_refused() {
    let client = session().await;
    for (column, value) in [
        ("position", "9223372036854775807"),
        ("position", "4611686018427387905"),
        ("position", "0"),
        ("position", "-1"),
        ("position", "(-9223372036854775808)::bigint"),
        ("version", "0"),
        ("version", "-5"),
        ("version", "9223372036854775807"),
        ("stream_id", "''"),
        ("stream_id", "repeat('x', 256)"),
        ("stream_id", "E'a\\nb'"),
        ("event_type", "''"),
        ("recorded_at", "'infinity'"),
        ("recorded_at", "'-infinity'"),
        ("payload", "'null'"),
        ("metadata", "'[]'"),
        ("metadata", "'1'"),
    ] {
        let failed = failure(
            client
                .batch_execute(&row("rows_wrong", column, value))
                .await,
        );
        let detail = failed.assert_ours("SE003");
        assert_eq!(detail["argument"], column, "{value}: {failed:?}");
    }
    client
        .batch_execute(&row("rows_right", "metadata", "'{}'"))
        .await
        .unwrap();
    assert_eq!(stream(&client, "rows_right").await.len(), 1);
}

#[tokio::test]
async fn a_position_far_ahead_is_refused_and_later_appends_get_positions_that_are_read() {
    let (_, client) = database("doors_rows").await;
    append(&client, &[("r", Some(0))], json!([event("r", 1)]))
        .await
        .unwrap();
    for position in [
        "9223372036854775807",
        "4611686018427387904",
        "600000000000000",
    ] {
        client.batch_execute("BEGIN").await.unwrap();
        let insert = row("far", "position", position);
        failure(client.batch_execute(&insert).await).assert_ours("SE003");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    let appended = append(&client, &[("r", Some(1))], json!([event("r", 2)]))
        .await
        .unwrap();
    assert!(appended.positions.unwrap().0 < 10_000, "{appended:?}");
    let read = "SELECT count(*) FROM eventcore_read_all()";
    assert_eq!(value::<i64>(&client, read).await, 2);
    // A jump such as a fail-over makes is not an error.
    let jump = row("jump", "position", "(4294967296::bigint * 3)");
    client.batch_execute(&jump).await.unwrap();
    append(&client, &[("r", Some(2))], json!([event("r", 3)]))
        .await
        .unwrap();
    assert_eq!(value::<i64>(&client, read).await, 4);
}

#[tokio::test]
async fn the_first_row_of_an_empty_store_has_any_position_and_appends_end_before_they_overflow() {
    let (_, client) = database("doors_rows_first").await;
    client
        .batch_execute(&row("first", "position", "4611686018427387904"))
        .await
        .unwrap();
    let failed = append(&client, &[("r", Some(0))], json!([event("r", 1)]))
        .await
        .unwrap_err();
    assert_eq!(failed.assert_ours("SE009")["reason"], "positions_exhausted");
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.events").await,
        1
    );
}

/// A role may write the checkpoints of its own consumers, and the registry reads all of them at the
/// start.
#[tokio::test]
async fn a_checkpoint_that_is_a_lie_uses_up_no_positions() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("lie").unwrap();
    let client = connect(&url).await;
    append(&client, &[("s", Some(0))], json!([event("s", 1)]))
        .await
        .unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS '';
             SELECT eventcore_create_projection('p', 'see'), eventcore_create_subscription('s');
             SELECT eventcore_pause_projection('p');
             UPDATE eventcore.projections SET checkpoint = 4611686018427387903, singly_until = 4611686018427387903;
             UPDATE eventcore.subscriptions SET read_position = 4611686018427387903",
        )
        .await
        .unwrap();
    drop(client);
    server.restart().unwrap();
    let client = connect(&url).await;
    let appended = append(&client, &[("s", Some(1))], json!([event("s", 2)]))
        .await
        .unwrap();
    let (first, _) = appended.positions.unwrap();
    assert!(first < 1 << 32, "{first}");
}

#[tokio::test]
async fn the_trigger_of_events_is_of_no_use_on_another_table() {
    let (_, client) = database("doors_foreign_trigger").await;
    client
        .batch_execute(
            "CREATE TABLE other (a text, b text, c text, d text, e text, f text, g text, h text, i text, j text);
             CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert()",
        )
        .await
        .unwrap();
    let failed = failure(
        client
            .batch_execute(
                "INSERT INTO other VALUES ('1', '2', '3', '4', '5', '6', '7', '8', '9', '10')",
            )
            .await,
    );
    failed.assert_ours("SE003");
}
