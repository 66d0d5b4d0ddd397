//! What the functions of a command must not do: each attempt is a clear error, writes nothing, and
//! leaves no lock.

use serde_json::json;

use super::{bank, command, execute};
use crate::support::{Client, append, connect, event, failure, stream, until_waiting, value};

/// No lock is left for other appends to wait for.
async fn assert_nothing_is_left(url: &str, client: &Client) {
    assert_eq!(stream(client, "a").await.len(), 1);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(value::<i64>(client, locks).await, 0);
    let other = connect(url).await;
    other
        .batch_execute("SET lock_timeout = '5 s'")
        .await
        .unwrap();
    append(&other, &[("free", None)], json!([event("free", 1)]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rejection_has_the_message_and_in_its_detail_all_that_the_handler_said() {
    let (url, client) = bank("decide_reject").await;
    let input = json!({"from": "a", "to": "b", "cents": 101});
    let rejected = execute(&client, "transfer", input).await.unwrap_err();
    let detail = rejected.assert_ours("SE006");
    assert_eq!(rejected.message, "only 100 cents left");
    assert_eq!(rejected.hint, "transfer less");
    let expected = json!({"command": "transfer", "sqlstate": "BA001", "message": "only 100 cents left",
                          "detail": "a detail", "hint": "transfer less"});
    assert_eq!(detail, expected);
    for (name, body, sqlstate) in [
        ("plain", "RAISE EXCEPTION 'no';", "P0001"),
        ("divided", "PERFORM 1 / 0; RETURN NULL;", "22012"),
        ("asserted", "ASSERT false, 'no'; RETURN NULL;", "P0004"),
        (
            "unique",
            "CREATE TEMP TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1), (1); RETURN NULL;",
            "23505",
        ),
    ] {
        command(&client, name, body, "").await;
        let rejected = execute(&client, name, json!({"streams": "a"}))
            .await
            .unwrap_err();
        assert_eq!(
            rejected.assert_ours("SE006")["sqlstate"],
            sqlstate,
            "{name}"
        );
    }
    assert_nothing_is_left(&url, &client).await;
}

#[tokio::test]
async fn what_is_no_decision_is_raised_as_it_is() {
    let (url, client) = bank("decide_cancel").await;
    command(&client, "slow", "PERFORM pg_sleep(60); RETURN NULL;", "").await;
    command(&client, "endless", "LOOP END LOOP;", "").await;
    for name in ["slow", "endless"] {
        client
            .batch_execute("SET statement_timeout = '200 ms'")
            .await
            .unwrap();
        let cancelled = execute(&client, name, json!({"streams": "a"}))
            .await
            .unwrap_err();
        assert_eq!(cancelled.code, "57014", "{cancelled:?}");
        client
            .batch_execute("RESET statement_timeout")
            .await
            .unwrap();
    }
    for (name, code) in [
        ("deadlock", "40P01"),
        ("serial", "40001"),
        ("memory", "53200"),
        ("internal", "XX000"),
    ] {
        command(
            &client,
            name,
            &format!("RAISE EXCEPTION 'no' USING ERRCODE = '{code}';"),
            "",
        )
        .await;
        let failed = execute(&client, name, json!({"streams": "a"}))
            .await
            .unwrap_err();
        assert_eq!(
            (failed.code.as_str(), failed.message.as_str()),
            (code, "no")
        );
    }
    assert_nothing_is_left(&url, &client).await;
}

#[tokio::test]
async fn a_function_of_a_command_does_not_append_or_execute() {
    let (url, client) = bank("decide_append").await;
    for (name, call) in [
        (
            "appends",
            "eventcore_append('{b}', '{NULL}', '[{\"stream\": \"b\", \"type\": \"A\", \"payload\": 1}]')",
        ),
        (
            "arrays",
            "eventcore_append('{b}', '{NULL}', '{b}', '{A}', '{1}', NULL)",
        ),
        (
            "executes",
            "eventcore_execute('transfer', '{\"from\": \"a\", \"to\": \"b\", \"cents\": 1}')",
        ),
    ] {
        command(&client, name, &format!("PERFORM {call}; RETURN NULL;"), "").await;
        let refused = execute(&client, name, json!({"streams": "a"}))
            .await
            .unwrap_err();
        assert_eq!(
            refused.assert_ours("SE009")["reason"],
            "in_command",
            "{refused:?}"
        );
    }
    // The restriction ends with the command.
    append(&client, &[("c", None)], json!([event("c", 1)]))
        .await
        .unwrap();
    assert_nothing_is_left(&url, &client).await;
}

#[tokio::test]
async fn what_is_no_list_of_events_is_refused_and_named() {
    let (url, client) = bank("decide_rubbish").await;
    for (name, result, index, field) in [
        ("scalar", json!(1), json!(null), json!(null)),
        ("object", json!({"stream": "a"}), json!(null), json!(null)),
        ("null", json!(null), json!(null), json!(null)),
        ("numbers", json!([1]), json!(0), json!(null)),
        (
            "untyped",
            json!([{"stream": "a", "payload": 1}]),
            json!(0),
            json!("type"),
        ),
        (
            "typo",
            json!([{"stream": "a", "type": "A", "payload": 1, "meta": 1}]),
            json!(0),
            json!("meta"),
        ),
        (
            "empty",
            json!([{"stream": "a", "type": "A", "payload": null}]),
            json!(0),
            json!("payload"),
        ),
        (
            "nowhere",
            json!([{"stream": "", "type": "A", "payload": 1}]),
            json!(0),
            json!("stream"),
        ),
    ] {
        command(&client, name, &format!("RETURN '{result}';"), "").await;
        let refused = execute(&client, name, json!({"streams": "a"}))
            .await
            .unwrap_err();
        let detail = refused.assert_ours("SE003");
        assert_eq!(
            detail["argument"], "result of handle",
            "{name}: {refused:?}"
        );
        assert_eq!(
            (&detail["index"], &detail["field"]),
            (&index, &field),
            "{name}"
        );
    }
    assert_nothing_is_left(&url, &client).await;
}

#[tokio::test]
async fn an_event_goes_to_a_stream_that_was_read_and_is_not_only_checked() {
    let (url, client) = bank("decide_streams").await;
    let body = r#"RETURN '[{"stream": "other", "type": "A", "payload": 1}]';"#;
    command(&client, "elsewhere", body, "").await;
    let refused = execute(&client, "elsewhere", json!({"streams": "a"}))
        .await
        .unwrap_err();
    assert_eq!(
        refused.assert_ours("SE002"),
        json!({"stream": "other", "event": 0})
    );

    let body = r#"RETURN '[{"stream": "a", "type": "A", "payload": 1}]';"#;
    command(
        &client,
        "checked",
        body,
        ", checked_streams => '{/checked}'",
    )
    .await;
    let input = json!({"streams": "b", "checked": "a"});
    let refused = execute(&client, "checked", input).await.unwrap_err();
    assert_eq!(
        refused.assert_ours("SE002"),
        json!({"stream": "a", "event": 0})
    );
    assert!(refused.hint.contains("checked_streams"), "{refused:?}");
    assert_nothing_is_left(&url, &client).await;
    // A stream that is named both ways is written.
    let both = execute(&client, "checked", json!({"streams": "a", "checked": "a"})).await;
    assert_eq!(both.unwrap().versions, [2]);
}

#[tokio::test]
async fn an_apply_that_returns_null_or_fails_is_no_decision() {
    let (url, client) = bank("decide_apply").await;
    client
        .batch_execute(
            "CREATE FUNCTION forget(jsonb, eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
             CREATE FUNCTION break(jsonb, eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'BA002'; END $$;
             SELECT eventcore_register_command('forgets', 'forget', 'transfer', streams => '{/from}');
             SELECT eventcore_register_command('breaks', 'break', 'transfer', streams => '{/from}')",
        )
        .await
        .unwrap();
    let null = execute(&client, "forgets", json!({"from": "a"}))
        .await
        .unwrap_err();
    assert_eq!(null.assert_ours("SE003")["argument"], "result of apply");
    let broken = execute(&client, "breaks", json!({"from": "a"}))
        .await
        .unwrap_err();
    assert_eq!(
        (broken.code.as_str(), broken.message.as_str()),
        ("BA002", "broken")
    );
    assert_nothing_is_left(&url, &client).await;
}

#[tokio::test]
async fn a_closed_stream_takes_no_events_of_commands_either() {
    let (_, client) = bank("decide_closed").await;
    let close = "INSERT INTO eventcore.streams (stream_id, state) VALUES ('b', 'closed')";
    client.batch_execute(close).await.unwrap();
    let input = json!({"from": "a", "to": "b", "cents": 1});
    let closed = execute(&client, "transfer", input).await.unwrap_err();
    assert_eq!(closed.assert_ours("SE005")["stream"], "b");
}

#[tokio::test]
async fn where_nothing_may_be_written_nothing_is_executed() {
    let (_, client) = bank("decide_read_only").await;
    let sql = "BEGIN READ ONLY; SELECT eventcore_execute('transfer', '{}')";
    assert_eq!(failure(client.batch_execute(sql).await).code, "25006");
    client.batch_execute("ROLLBACK").await.unwrap();
}

/// Rows that SQL inserts take no lock of a stream. A command that has read a stream before finds
/// them all the same: here those of its own function, and those of another session, committed while
/// the function runs or open since before it was called.
#[tokio::test]
async fn rows_by_sql_that_come_while_a_command_decides_are_a_conflict() {
    let (url, client) = bank("decide_foreign").await;
    let insert = |position: i64, version: i64| {
        format!(
            "INSERT INTO eventcore.events VALUES ({position}, {version}, now(), gen_random_uuid(), 'a', 'Deposited',
             '{{\"cents\": 1}}')"
        )
    };
    let decide =
        "RETURN '[{\"stream\": \"a\", \"type\": \"Deposited\", \"payload\": {\"cents\": 1}}]';";
    let conflict = async |session: &Client, name: &str, actual: i64| {
        let failed = execute(session, name, json!({"streams": "a"})).await;
        let detail = failed.unwrap_err().assert_ours("SE001");
        assert_eq!(detail["conflicts"][0]["expected"], json!(1), "{name}");
        assert_eq!(detail["conflicts"][0]["actual"], json!(actual), "{name}");
    };

    // A version further on has no entry of the unique index to run into.
    let body = format!("{}; {decide}", insert(1_000, 5));
    command(&client, "inserting", &body, "").await;
    conflict(&client, "inserting", 5).await;
    assert_eq!(stream(&client, "a").await.len(), 1);

    let body = format!("PERFORM pg_advisory_xact_lock(7); {decide}");
    command(&client, "slow", &body, "").await;
    for begins_before in [true, false] {
        let (restore, position) = (
            connect(&url).await,
            if begins_before { 2_000 } else { 3_000 },
        );
        let version = position / 1_000;
        restore.batch_execute("BEGIN").await.unwrap();
        client
            .batch_execute("SELECT pg_advisory_lock(7)")
            .await
            .unwrap();
        let row = insert(position, version + 5);
        if begins_before {
            restore.batch_execute(&row).await.unwrap();
        }
        let other = connect(&url).await;
        let executing =
            tokio::spawn(async move { execute(&other, "slow", json!({"streams": "a"})).await });
        until_waiting(&client, 1).await;
        if !begins_before {
            restore.batch_execute(&row).await.unwrap();
        }
        restore.batch_execute("COMMIT").await.unwrap();
        client
            .batch_execute("SELECT pg_advisory_unlock(7)")
            .await
            .unwrap();
        let failed = executing.await.unwrap().unwrap_err();
        let detail = failed.assert_ours("SE001");
        assert_eq!(detail["conflicts"][0]["actual"], json!(version + 5));
    }
}
