//! `eventcore_execute`: what it reads, what it writes, and what it returns.

use serde_json::json;

use super::{Executed, bank, command, deposit, execute, execute_compact, execute_with};
use crate::support::{connect, read, stream, until_waiting, value};

#[tokio::test]
async fn a_command_reads_its_streams_and_writes_its_events_in_one_call() {
    let (_, client) = bank("execute").await;
    let input = json!({"from": "a", "to": "b", "cents": 30});
    let done = execute(&client, "transfer", input.clone()).await.unwrap();
    let expected = Executed {
        positions: Some((2, 3)),
        streams: vec!["a".to_owned(), "b".to_owned()],
        versions: vec![2, 1],
        repeated: false,
        attempts: 1,
    };
    assert_eq!(done, expected);
    for left in [40, 10] {
        execute(&client, "transfer", input.clone()).await.unwrap();
        let sql = format!(
            "SELECT {left} = (SELECT 100 - 30 * (count(*) - 1) FROM eventcore_read_stream('a'))"
        );
        assert!(value::<bool>(&client, &sql).await);
    }
    let rejected = execute(&client, "transfer", input).await.unwrap_err();
    rejected.assert_ours("SE006");
    assert_eq!(stream(&client, "a").await.len(), 4);
}

#[tokio::test]
async fn ids_and_metadata_of_the_caller_are_kept_with_every_event() {
    let (_, client) = bank("execute_metadata").await;
    let body = r#"RETURN '[{"stream": "a", "type": "Deposited", "payload": {"cents": 1}},
        {"stream": "a", "type": "Deposited", "payload": {"cents": 2}, "metadata": {"who": "handle", "n": 1}}]';"#;
    command(&client, "twice", body, "").await;
    let id = "0190b0f0-0000-7000-8000-00000000000";
    let more = format!(
        ", correlation_id => '{id}1', causation_id => '{id}2', metadata => '{{\"who\": \"caller\", \"m\": 2}}'"
    );
    execute_with(&client, "twice", json!({"streams": "a"}), &more)
        .await
        .unwrap();
    let events = read(&client, "SELECT * FROM eventcore_read_all(1)", &[]).await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].metadata, Some(json!({"who": "caller", "m": 2})));
    assert_eq!(
        events[1].metadata,
        Some(json!({"who": "handle", "m": 2, "n": 1}))
    );
    for event in events {
        assert_eq!(event.correlation_id.unwrap().to_string(), format!("{id}1"));
        assert_eq!(event.causation_id.unwrap().to_string(), format!("{id}2"));
    }
}

#[tokio::test]
async fn a_command_that_decides_on_nothing_writes_nothing() {
    let (_, client) = bank("execute_nothing").await;
    for (name, body) in [("none", "RETURN NULL;"), ("empty", "RETURN '[]';")] {
        command(&client, name, body, "").await;
        let done = execute(&client, name, json!({"streams": ["b", "a"]}))
            .await
            .unwrap();
        assert_eq!(done.positions, None);
        assert_eq!(
            (done.streams, done.versions),
            (vec!["b".to_owned(), "a".to_owned()], vec![0, 1])
        );
    }
}

#[tokio::test]
async fn streams_may_stand_anywhere_in_the_input_and_twice() {
    let (_, client) = bank("execute_pointers").await;
    let sql = r#"SELECT eventcore_register_command('deep', 'apply', 'transfer',
        streams => '{/a~1b/0,/many,/x}', replace => true)"#;
    client.batch_execute("CREATE FUNCTION nothing(jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'").await.unwrap();
    client
        .batch_execute(&sql.replace("'transfer'", "'nothing'"))
        .await
        .unwrap();
    let input = json!({"a/b": ["one"], "many": ["two", "one", "three"], "x": "two"});
    let done = execute(&client, "deep", input).await.unwrap();
    assert_eq!(done.streams, ["one", "two", "three"]);
    for (input, field) in [
        (json!({"many": [], "x": "y"}), "/a~1b/0"),
        (json!({"a/b": [1], "many": [], "x": "y"}), "/a~1b/0"),
        (
            json!({"a/b": ["one"], "many": [["two"]], "x": "y"}),
            "/many",
        ),
        (json!({"a/b": ["one"], "many": [], "x": {}}), "/x"),
        (json!(["a"]), "/a~1b/0"),
        (json!(null), "/a~1b/0"),
    ] {
        let detail = execute(&client, "deep", input.clone()).await.unwrap_err();
        let detail = detail.assert_ours("SE003");
        assert_eq!(
            (&detail["argument"], &detail["field"]),
            (&json!("input"), &json!(field)),
            "{input}"
        );
    }
    let long = execute(
        &client,
        "deep",
        json!({"a/b": ["x".repeat(256)], "many": [], "x": "y"}),
    )
    .await;
    assert_eq!(long.unwrap_err().assert_ours("SE003")["argument"], "input");
}

#[tokio::test]
async fn required_fields_are_looked_at_before_anything_else() {
    let (_, client) = bank("execute_fields").await;
    let fields = r#", required_fields => '{"/s": "string", "/n": "number", "/b": "boolean", "/o": "object",
                                          "/o/list": "array", "/any": "any"}'"#;
    command(&client, "strict", "RETURN NULL;", fields).await;
    let good = json!({"streams": "a", "s": "", "n": 1.5, "b": false, "o": {"list": []}, "any": 0});
    execute(&client, "strict", good.clone()).await.unwrap();
    for (field, bad) in [
        ("s", json!(1)),
        ("n", json!("1")),
        ("b", json!(null)),
        ("o", json!([])),
        ("any", json!(null)),
    ] {
        let mut input = good.clone();
        input[field] = bad;
        let detail = execute(&client, "strict", input)
            .await
            .unwrap_err()
            .assert_ours("SE003");
        assert_eq!(detail["field"], format!("/{field}"));
    }
    let mut input = good;
    input["o"] = json!({});
    let detail = execute(&client, "strict", input)
        .await
        .unwrap_err()
        .assert_ours("SE003");
    assert_eq!(detail["field"], "/o/list");
}

#[tokio::test]
async fn a_command_sees_what_its_own_transaction_wrote() {
    let (_, mut client) = bank("execute_transaction").await;
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let before = stream(&client, "a").await.len();
        let transaction = client.transaction().await.unwrap();
        let sql = format!("SET TRANSACTION ISOLATION LEVEL {level}");
        transaction.batch_execute(&sql).await.unwrap();
        for _ in 0..3 {
            let input = json!({"from": "a", "to": "b", "cents": 1});
            execute(&transaction, "transfer", input).await.unwrap();
        }
        let sql = r#"SELECT count(e.last_position) FROM generate_series(1, 3),
            LATERAL eventcore_execute('transfer', '{"from": "a", "to": "b", "cents": 1}') e"#;
        let rows = transaction.query_one(sql, &[]).await.unwrap();
        assert_eq!(rows.get::<_, i64>(0), 3, "{level}, in one statement");
        transaction.rollback().await.unwrap();
        assert_eq!(stream(&client, "a").await.len(), before, "{level}");
    }
}

#[tokio::test]
async fn in_a_transaction_that_keeps_its_snapshot_a_stream_that_moved_is_a_conflict_with_a_way_out()
{
    let (url, mut client) = bank("execute_snapshot").await;
    let other = crate::support::connect(&url).await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let transaction = client.transaction().await.unwrap();
        let sql = format!("SET TRANSACTION ISOLATION LEVEL {level}; SELECT 1");
        transaction.batch_execute(&sql).await.unwrap();
        deposit(&other, "a", 1).await;
        let input = json!({"from": "a", "to": "b", "cents": 1});
        let moved = execute(&transaction, "transfer", input).await.unwrap_err();
        let detail = moved.assert_ours("SE001");
        assert_eq!(detail["conflicts"][0]["stream"], "a");
        assert!(moved.hint.contains("READ COMMITTED"), "{moved:?}");
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_long_stream_is_folded_event_by_event_in_order() {
    let (_, client) = bank("execute_long").await;
    let sql = "SELECT eventcore_append('{long}', '{0}', jsonb_agg(jsonb_build_object(
                   'stream', 'long', 'type', 'Deposited', 'payload', jsonb_build_object('cents', n))))
                 FROM generate_series(1, 5000) n";
    client.batch_execute(sql).await.unwrap();
    let body = "RETURN jsonb_build_array(jsonb_build_object('stream', 'b', 'type', 'Deposited',
                    'payload', jsonb_build_object('cents', state->'long')));";
    command(&client, "sum", body, "").await;
    execute(&client, "sum", json!({"streams": ["long", "b"]}))
        .await
        .unwrap();
    assert_eq!(
        stream(&client, "b").await[0].payload,
        json!({"cents": 12_502_500})
    );
}

/// The command has read and is about to write when a REINDEX starts that waits for the index that
/// was read.
#[tokio::test]
async fn a_reindex_that_comes_while_a_command_decides_waits_for_it() {
    let (url, client) = bank("execute_reindex").await;
    let body = r#"PERFORM pg_advisory_xact_lock(7);
        RETURN '[{"stream": "a", "type": "Deposited", "payload": {"cents": 1}}]';"#;
    command(&client, "slow", body, "").await;
    client
        .batch_execute("SELECT pg_advisory_lock(7)")
        .await
        .unwrap();
    let other = connect(&url).await;
    let executing =
        tokio::spawn(async move { execute(&other, "slow", json!({"streams": "a"})).await });
    until_waiting(&client, 1).await;
    let other = connect(&url).await;
    let reindexing =
        tokio::spawn(async move { other.batch_execute("REINDEX TABLE eventcore.events").await });
    until_waiting(&client, 2).await;
    client
        .batch_execute("SELECT pg_advisory_unlock(7)")
        .await
        .unwrap();
    executing.await.unwrap().unwrap();
    reindexing.await.unwrap().unwrap();
}

/// Two sessions that only check a stream do not wait for each other; a writer of the stream waits
/// for both.
#[tokio::test]
async fn a_stream_that_is_only_checked_stays_as_it_is_until_the_command_commits() {
    let (url, client) = bank("execute_held").await;
    let body = r#"RETURN jsonb_build_array(jsonb_build_object('stream', input->'to', 'type', 'Deposited',
        'payload', '{"cents": 1}'::jsonb));"#;
    let sql = format!(
        "CREATE FUNCTION beside(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
         SELECT eventcore_register_command('beside', 'apply', 'beside', streams => '{{/to}}',
             checked_streams => '{{/of}}')"
    );
    client.batch_execute(&sql).await.unwrap();
    let (one, two) = (connect(&url).await, connect(&url).await);
    for (session, to) in [(&one, "b"), (&two, "c")] {
        session.batch_execute("BEGIN").await.unwrap();
        let input = json!({"of": "a", "to": to});
        execute(session, "beside", input).await.unwrap();
    }
    let writer = connect(&url).await;
    let writing = tokio::spawn(async move { deposit(&writer, "a", 1).await });
    for session in [one, two] {
        until_waiting(&client, 1).await;
        assert_eq!(stream(&client, "a").await.len(), 1);
        session.batch_execute("COMMIT").await.unwrap();
    }
    writing.await.unwrap();
    assert_eq!(stream(&client, "a").await.len(), 2);
}

#[tokio::test]
async fn the_compact_form_does_and_returns_the_same() {
    let (_, client) = bank("execute_compact").await;
    let input = json!({"from": "a", "to": "b", "cents": 30});
    let more = r#", idempotency_key => 'once', metadata => '{"by": "ada"}',
                    correlation_id => '0190b0f0-0000-7000-8000-000000000001'"#;
    let done = execute_compact(&client, "transfer", input.clone(), more)
        .await
        .unwrap();
    let expected = Executed {
        positions: Some((2, 3)),
        streams: vec!["a".to_owned(), "b".to_owned()],
        versions: vec![2, 1],
        repeated: false,
        attempts: 1,
    };
    assert_eq!(done, expected);
    let events = read(&client, "SELECT * FROM eventcore_read_all(1)", &[]).await;
    for event in &events {
        assert_eq!(event.metadata, Some(json!({"by": "ada"})));
        assert!(event.correlation_id.is_some() && event.causation_id.is_none());
    }

    // Each form knows the executions of the other one.
    let again = Executed {
        repeated: true,
        attempts: 0,
        ..expected
    };
    let by_key = ", idempotency_key => 'once'";
    for _ in 0..2 {
        let compact = execute_compact(&client, "transfer", input.clone(), by_key).await;
        assert_eq!(compact.unwrap(), again);
        let row = execute_with(&client, "transfer", input.clone(), by_key).await;
        assert_eq!(row.unwrap(), again);
    }
    let sql =
        "SELECT (eventcore_execute_compact('transfer', '{}', idempotency_key => 'once'))[3]::bigint
                    = extract(epoch FROM recorded_at) * 1000000 FROM eventcore.executions";
    assert!(value::<bool>(&client, sql).await);

    let poor = json!({"from": "b", "to": "a", "cents": 31});
    let rejected = execute_compact(&client, "transfer", poor, "").await;
    rejected.unwrap_err().assert_ours("SE006");
    command(&client, "none", "RETURN NULL;", "").await;
    let none = execute_compact(&client, "none", json!({"streams": ["b", "a"]}), "").await;
    let expected = Executed {
        positions: None,
        streams: vec!["b".to_owned(), "a".to_owned()],
        versions: vec![1, 2],
        repeated: false,
        attempts: 1,
    };
    assert_eq!(none.unwrap(), expected);
}
