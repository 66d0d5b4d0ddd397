//! Inline projections run in the transaction of the append.

use serde_json::json;

use super::{create, database, seen, wait, write};
use crate::support::{FORMS, append, append_as, connect, event, failure, stream, value};

#[tokio::test]
async fn it_takes_part_in_each_append_from_its_creation_on() {
    for handler in ["see", "see_many"] {
        let (url, client) = database(&format!("inline_{handler}")).await;
        let other = connect(&url).await;
        write(&other, "a", 1..=2).await;
        create(
            &client,
            "p",
            handler,
            ", mode => 'inline', start_from => 'now', event_types => '{Odd}'",
        )
        .await;
        // Also in a session that knew of no inline projection.
        write(&other, "a", 3..=6).await;
        assert_eq!(seen(&other).await, [3, 5]);
        client.batch_execute("BEGIN").await.unwrap();
        write(&client, "a", 7..=7).await;
        assert_eq!(seen(&client).await, [3, 5, 7]);
        client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(seen(&client).await, [3, 5]);
        wait(&client, "p").await.unwrap();
        client
            .batch_execute("SELECT eventcore_drop_projection('p')")
            .await
            .unwrap();
        write(&other, "a", 9..=9).await;
        assert_eq!(seen(&other).await, [3, 5]);
    }
}

#[tokio::test]
async fn its_error_refuses_the_append_as_it_was_raised() {
    let (_, client) = database("inline_refuses").await;
    create(
        &client,
        "p",
        "see_but_13",
        ", mode => 'inline', start_from => 'now'",
    )
    .await;
    for form in FORMS {
        let refused = append_as(form, &client, &[("a", None)], json!([event("a", 13)]))
            .await
            .unwrap_err();
        assert_eq!(refused.code, "P0013");
        assert_eq!(refused.message, "unlucky");
        assert_eq!(refused.detail.as_deref(), Some("thirteen"));
    }
    assert!(stream(&client, "a").await.is_empty());
    append(&client, &[("a", Some(0))], json!([event("a", 1)]))
        .await
        .unwrap();
    assert_eq!(seen(&client).await, [1]);
}

#[tokio::test]
async fn it_takes_part_in_commands() {
    let (_, client) = database("inline_command").await;
    client
        .batch_execute(
            r#"CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
               CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$
                   SELECT jsonb_build_array(jsonb_build_object('stream', input->>'s', 'type', 'T', 'payload', input)) $$;
               SELECT eventcore_register_command('c', 'apply', 'handle', streams => '{/s}')"#,
        )
        .await
        .unwrap();
    create(
        &client,
        "p",
        "see_but_13",
        ", mode => 'inline', start_from => 'now'",
    )
    .await;
    client
        .batch_execute(r#"SELECT eventcore_execute('c', '{"s": "a", "n": 4}')"#)
        .await
        .unwrap();
    assert_eq!(seen(&client).await, [4]);
    let refused = client
        .batch_execute(r#"SELECT eventcore_execute('c', '{"s": "a", "n": 13}')"#)
        .await;
    assert_eq!(failure(refused).code, "P0013");
}

#[tokio::test]
async fn its_handler_does_not_append() {
    let (_, client) = database("inline_appends").await;
    client
        .batch_execute(
            r#"CREATE FUNCTION again(e eventcore.events) RETURNS void LANGUAGE sql AS $$
                   SELECT eventcore_append('{b}', '{NULL}', '[{"stream":"b","type":"B","payload":1}]') $$"#,
        )
        .await
        .unwrap();
    create(
        &client,
        "p",
        "again",
        ", mode => 'inline', start_from => 'now'",
    )
    .await;
    let refused = append(&client, &[("a", None)], json!([event("a", 1)]))
        .await
        .unwrap_err();
    assert_eq!(refused.assert_ours("SE009")["reason"], "in_projection");
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.events").await,
        0
    );
}

/// An append in progress at the creation counts as before it or after it, never both.
#[tokio::test]
async fn its_creation_waits_for_appends_under_way() {
    let (url, client) = database("inline_waits").await;
    let writer = connect(&url).await;
    writer.batch_execute("BEGIN").await.unwrap();
    write(&writer, "a", 1..=1).await;
    client
        .batch_execute("SET lock_timeout = '200 ms'")
        .await
        .unwrap();
    let sql =
        "SELECT eventcore_create_projection('p', 'see', mode => 'inline', start_from => 'now')";
    assert_eq!(failure(client.batch_execute(sql).await).code, "55P03");
    writer.batch_execute("COMMIT").await.unwrap();
    client.batch_execute(sql).await.unwrap();
    write(&writer, "a", 2..=2).await;
    assert_eq!(seen(&client).await, [2]);
}

/// As an administrator or a restore does it.
#[tokio::test]
async fn a_change_of_its_row_reaches_every_session() {
    let (url, client) = database("inline_row").await;
    let other = connect(&url).await;
    let more = ", mode => 'inline', start_from => 'now'";
    create(&client, "p", "see", more).await;
    write(&other, "a", 1..=1).await;
    for (number, sql, expected) in [
        (
            2,
            "UPDATE eventcore.projections SET status = 'paused'",
            &[1][..],
        ),
        (
            3,
            "UPDATE eventcore.projections SET status = 'running'",
            &[1, 3],
        ),
        (4, "DELETE FROM eventcore.projections", &[1, 3]),
    ] {
        client.batch_execute(sql).await.unwrap();
        write(&other, "a", number..=number).await;
        assert_eq!(seen(&client).await, expected, "{sql}");
    }
}
