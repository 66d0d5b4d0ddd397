//! Large appends, many appends, and what they leave in a backend's memory.

use serde_json::json;
use tokio_postgres::Client;

use crate::support::{append, database, event, failure, session, stream, value};

#[tokio::test]
async fn a_payload_of_20_mb_comes_back_as_it_was() {
    let client = session().await;
    let text = "0123456789abcdef ü".repeat(20_000_000 / 19);
    let payload = json!({"text": text, "end": true});
    assert!(payload.to_string().len() > 19_900_000);
    let events = json!([{"stream": "large", "type": "Large", "payload": payload}]);
    append(&client, &[("large", Some(0))], events)
        .await
        .unwrap();
    let events = stream(&client, "large").await;
    assert!(events[0].payload == payload, "the payload has changed");
}

/// P1, P3.
#[tokio::test]
async fn one_call_can_write_100_000_events() {
    let client = session().await;
    let calls = [
        "SELECT last_position - first_position + 1 FROM eventcore_append('{bulk-a,bulk-b}', '{0,0}',
             (SELECT array_agg('bulk-' || CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END ORDER BY n)
                FROM generate_series(1, 100000) n),
             (SELECT array_agg('Counted'::text) FROM generate_series(1, 100000)),
             (SELECT array_agg(to_jsonb(n) ORDER BY n) FROM generate_series(1, 100000) n), NULL)",
        "SELECT last_position - first_position + 1 FROM eventcore_append('{bulk-a,bulk-b}',
             '{50000,50000}',
             (SELECT jsonb_agg(jsonb_build_object('stream',
                         'bulk-' || CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END,
                         'type', 'Counted', 'payload', n) ORDER BY n)
                FROM generate_series(100001, 200000) n))",
    ];
    for call in calls {
        assert_eq!(value::<i64>(&client, call).await, 100_000);
    }
    let row = client
        .query_one(
            "SELECT count(*), count(DISTINCT position), min(version), max(version),
                    bool_and(payload::bigint = 2 * version)
               FROM eventcore_read_stream('bulk-a')",
            &[],
        )
        .await
        .unwrap();
    let numbers: [i64; 4] = [0, 1, 2, 3].map(|column| row.get(column));
    assert_eq!(numbers, [100_000, 100_000, 1, 100_000]);
    assert!(row.get::<_, bool>(4), "an event is not in its place");
}

#[tokio::test]
async fn an_append_takes_1000_streams_and_no_more() {
    let client = session().await;
    let call = |count: i32| {
        format!(
            "SELECT versions FROM eventcore_append(
                 (SELECT array_agg('wide-' || n ORDER BY n) FROM generate_series(1, {count}) n),
                 array_fill(0::bigint, ARRAY[{count}]),
                 (SELECT jsonb_agg(jsonb_build_object('stream', 'wide-' || n, 'type', 'A', 'payload', 1))
                    FROM generate_series(1, {count}) n))"
        )
    };
    let failed = failure(client.query(&call(1001), &[]).await);
    let detail = failed.assert_ours("SE003");
    assert_eq!(detail["argument"], json!("streams"));
    let versions: Vec<i64> = value(&client, &call(1000)).await;
    assert_eq!(versions, vec![1; 1000]);
}

/// Anonymous resident memory of the session's process, in kB, and what its contexts hold, in bytes.
async fn memory(client: &Client) -> (i64, i64) {
    let resident =
        "SELECT substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\\s+(\\d+)')::bigint";
    let contexts = "SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts";
    (value(client, resident).await, value(client, contexts).await)
}

const MANY_APPENDS: &str = r#"
    DO $$
    DECLARE n bigint;
    BEGIN
        FOR n IN 1..1000 LOOP
            PERFORM eventcore_append(ARRAY['flat-a', 'flat-b'], '{NULL,NULL}',
                '[{"stream":"flat-a","type":"A","payload":{"text":"some text"},"metadata":{"a":1}},
                  {"stream":"flat-b","type":"B","payload":[1,2,3]}]');
        END LOOP;
    END $$"#;

const MANY_FAILURES: &str = r#"
    DO $$
    DECLARE n bigint;
    BEGIN
        FOR n IN 1..500 LOOP
            BEGIN
                PERFORM eventcore_append('{flat-a}', '{0}', '{flat-a}', '{A}', '{1}', NULL);
            EXCEPTION WHEN SQLSTATE 'SE001' THEN NULL; END;
            BEGIN
                PERFORM eventcore_append('{flat-c,flat-b}', '{0,NULL}',
                    '[{"stream":"flat-c","type":"A","payload":1,
                       "id":"00000000-0000-0000-0000-000000000001"},
                      {"stream":"flat-b","type":"A","payload":1,
                       "id":"00000000-0000-0000-0000-000000000001"}]');
            EXCEPTION WHEN SQLSTATE 'SE003' THEN NULL; END;
            BEGIN
                PERFORM eventcore_append('{flat-c}', '{0}',
                    '[{"stream":"flat-c","type":"A","payload":1},{"stream":"flat-c","type":"A",
                       "payload":1,"id":"00000000-0000-0000-0000-000000000002"}]');
            EXCEPTION WHEN unique_violation THEN NULL; END;
        END LOOP;
    END $$"#;

#[tokio::test]
async fn a_session_needs_no_more_memory_after_20_000_appends_than_after_2_000() {
    let client = session().await;
    for _ in 0..2 {
        client.batch_execute(MANY_APPENDS).await.unwrap();
    }
    let before = memory(&client).await;
    for _ in 0..18 {
        client.batch_execute(MANY_APPENDS).await.unwrap();
    }
    let after = memory(&client).await;
    assert!(
        after.0 - before.0 < 4_000,
        "resident: {before:?} kB, then {after:?}"
    );
    assert!(
        after.1 - before.1 < 1_000_000,
        "contexts: {before:?}, then {after:?} bytes"
    );
}

/// Each append in its own transaction.
#[tokio::test]
async fn a_session_needs_no_more_memory_after_5_000_transactions_and_reads() {
    let client = session().await;
    client
        .batch_execute("SET synchronous_commit = off")
        .await
        .unwrap();
    let transactions: String = (0..1_000)
        .map(|n| {
            let name = format!("transaction-{}", n % 10);
            format!(
                "BEGIN; SELECT eventcore_append('{{{name}}}', '{{NULL}}', '{{{name}}}', '{{A}}', '{{1}}', NULL);
                 SELECT * FROM eventcore_read_stream('{name}', max_count => 5); COMMIT;"
            )
        })
        .collect();
    let mut measured = Vec::new();
    for round in 0..6 {
        client.batch_execute(&transactions).await.unwrap();
        if round == 0 || round == 5 {
            measured.push(memory(&client).await);
        }
    }
    assert!(measured[1].0 - measured[0].0 < 4_000, "{measured:?}");
    assert!(measured[1].1 - measured[0].1 < 1_000_000, "{measured:?}");
}

#[tokio::test]
async fn a_session_needs_no_more_memory_after_failed_appends() {
    let (_, client) = database("size_failed").await;
    // The constraint is checked only while the rows are written.
    client
        .batch_execute("CREATE UNIQUE INDEX ON eventcore.events (event_id)")
        .await
        .unwrap();
    append(
        &client,
        &[("flat-a", None), ("flat-taken", None)],
        json!([
            event("flat-a", 1),
            {"stream": "flat-taken", "type": "A", "payload": 1,
             "id": "00000000-0000-0000-0000-000000000002"},
        ]),
    )
    .await
    .unwrap();
    client.batch_execute(MANY_FAILURES).await.unwrap();
    let before = memory(&client).await;
    for _ in 0..5 {
        client.batch_execute(MANY_FAILURES).await.unwrap();
    }
    let after = memory(&client).await;
    assert!(
        after.0 - before.0 < 4_000,
        "resident: {before:?} kB, then {after:?}"
    );
    assert!(
        after.1 - before.1 < 1_000_000,
        "contexts: {before:?}, then {after:?} bytes"
    );
}
