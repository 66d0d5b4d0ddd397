//! The reading functions in every place where SQL allows a function.

use serde_json::json;

use crate::support::{Client, append, database, event, session, value};

async fn fill(client: &Client) {
    for (name, count) in [("ctx-a", 3), ("ctx-b", 5)] {
        let events: Vec<_> = (1..=count).map(|n| event(name, n)).collect();
        append(client, &[(name, Some(0))], json!(events))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn reads_work_in_joins_lateral_ctes_select_lists_and_subqueries() {
    let (_, client) = database("ctx_places").await;
    fill(&client).await;
    let table: [(&str, i64); 17] = [
        ("SELECT count(*) FROM eventcore_read_stream('ctx-a') a JOIN eventcore_read_stream('ctx-b') b
             USING (version)", 3),
        ("SELECT count(*) FROM (VALUES ('ctx-a'), ('ctx-b'), ('none')) s (name),
             LATERAL eventcore_read_stream(s.name)", 8),
        ("SELECT count(*) FROM (VALUES ('ctx-a'), ('none')) s (name)
             LEFT JOIN LATERAL eventcore_read_stream(s.name) e ON true", 4),
        ("WITH e AS MATERIALIZED (SELECT * FROM eventcore_read_all())
          SELECT count(*) FROM e x JOIN e y USING (position)", 8),
        ("WITH RECURSIVE page (last, count) AS (
              SELECT 0::bigint, 0::bigint
              UNION ALL
              SELECT p.last, p.count FROM page, LATERAL (
                  SELECT max(position) AS last, count(*) AS count
                    FROM eventcore_read_all(page.last, 3)) p
               WHERE p.count > 0)
          SELECT sum(count)::bigint FROM page", 8),
        ("SELECT count(*) FROM (SELECT (eventcore_read_stream('ctx-b')).*) e", 5),
        ("SELECT count(*) FROM (SELECT eventcore_read_all(), generate_series(1, 8)) e", 8),
        ("SELECT count(e) FROM (SELECT eventcore_read_stream('ctx-b') LIMIT 2) e", 2),
        ("SELECT count(*) FROM eventcore_read_all() WHERE position IN
             (SELECT position FROM eventcore_read_stream('ctx-a'))", 3),
        ("SELECT count(*) FROM ROWS FROM (eventcore_read_stream('ctx-a'), eventcore_read_stream('ctx-b'))
             WITH ORDINALITY", 5),
        ("SELECT max(ordinality) FROM eventcore_read_all() WITH ORDINALITY", 8),
        ("SELECT count(*) FROM (SELECT * FROM eventcore_read_all() LIMIT 3 OFFSET 2) e", 3),
        ("SELECT (SELECT version FROM eventcore_stream_versions('{ctx-b}'))", 5),
        ("SELECT sum(v.version)::bigint FROM unnest('{ctx-a,ctx-b}'::text[]) s (name),
             LATERAL eventcore_stream_versions(ARRAY[s.name]) v", 8),
        ("SELECT count(*) FROM eventcore_read_all() e, eventcore_safe_position() s
           WHERE e.position <= s", 8),
        ("SELECT count(*) FROM eventcore_read_all() AS e", 8),
        ("SELECT CASE WHEN EXISTS (SELECT FROM eventcore_read_stream('none')) THEN 1 ELSE 0 END::bigint", 0),
    ];
    for (sql, expected) in table {
        assert_eq!(value::<i64>(&client, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn cursors_over_reads_keep_what_they_saw() {
    let (_, client) = database("ctx_cursors").await;
    fill(&client).await;
    client
        .batch_execute(
            "BEGIN;
             DECLARE forward CURSOR FOR SELECT version FROM eventcore_read_stream('ctx-b');
             DECLARE scrolled SCROLL CURSOR FOR SELECT version FROM eventcore_read_all();
             DECLARE held CURSOR WITH HOLD FOR SELECT version FROM eventcore_read_streams('{ctx-b,ctx-a}')",
        )
        .await
        .unwrap();
    assert_eq!(value::<i64>(&client, "FETCH 1 FROM forward").await, 1);
    append(&client, &[("ctx-b", None)], json!([event("ctx-b", 6)]))
        .await
        .unwrap();
    let count = async |sql: &str| client.query(sql, &[]).await.unwrap().len();
    assert_eq!(count("FETCH ALL FROM forward").await, 4);
    // Materialised at the first fetch, and not changed afterwards: this append is not settled yet.
    assert_eq!(count("FETCH ALL FROM scrolled").await, 8);
    assert_eq!(count("FETCH BACKWARD ALL FROM scrolled").await, 8);
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(count("FETCH 3 FROM held").await, 3);
    client.batch_execute("CLOSE held").await.unwrap();
}

#[tokio::test]
async fn reads_and_appends_work_where_the_server_would_rather_be_parallel() {
    let (_, client) = database("ctx_parallel").await;
    fill(&client).await;
    // The name of the setting depends on the version of the server.
    let setting: String = value(
        &client,
        "SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')",
    )
    .await;
    client
        .batch_execute(&format!(
            "SET {setting} = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
             SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 4;
             CREATE TABLE numbers AS SELECT n, CASE n % 2 WHEN 0 THEN 'ctx-a' ELSE 'ctx-b' END AS name
               FROM generate_series(1, 2000) n; ANALYZE numbers"
        ))
        .await
        .unwrap();
    let table: [(&str, i64); 7] = [
        ("SELECT count(*) FROM eventcore_read_stream('ctx-a')", 3),
        (
            "SELECT count(*) FROM eventcore_read_streams('{ctx-a,ctx-b}')",
            8,
        ),
        ("SELECT count(*) FROM eventcore_read_all()", 8),
        (
            "SELECT sum((SELECT count(*) FROM eventcore_read_stream(name)))::bigint FROM numbers",
            8_000,
        ),
        (
            "SELECT count(*) FROM numbers WHERE (SELECT version FROM eventcore_stream_versions(ARRAY[name])) = 5",
            1_000,
        ),
        (
            "SELECT count(*) FROM numbers WHERE eventcore_safe_position() > 0",
            2_000,
        ),
        ("SELECT count(*) FROM eventcore.events", 8),
    ];
    for (sql, expected) in table {
        assert_eq!(value::<i64>(&client, sql).await, expected, "{sql}");
    }
    append(&client, &[("ctx-a", Some(3))], json!([event("ctx-a", 4)]))
        .await
        .unwrap();
    assert_eq!(
        value::<i64>(
            &client,
            "SELECT count(*) FROM eventcore_read_stream('ctx-a')"
        )
        .await,
        4
    );
}

#[tokio::test]
async fn reads_work_in_views_materialized_views_prepared_statements_and_copy() {
    let (_, client) = database("ctx_stored").await;
    fill(&client).await;
    client
        .batch_execute(
            "CREATE VIEW a AS SELECT * FROM eventcore_read_stream('ctx-a');
             CREATE MATERIALIZED VIEW b AS SELECT * FROM eventcore_read_stream('ctx-b');
             CREATE TABLE c AS SELECT * FROM eventcore_read_all();
             PREPARE p (text) AS SELECT count(*) FROM eventcore_read_stream($1);
             COPY (SELECT * FROM eventcore_read_all()) TO '/dev/null'",
        )
        .await
        .unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM a", 3),
        ("SELECT count(*) FROM b", 5),
        ("SELECT count(*) FROM c", 8),
    ] {
        assert_eq!(value::<i64>(&client, sql).await, expected, "{sql}");
    }
    // Beyond the custom plans, to the generic one.
    for _ in 0..8 {
        assert_eq!(value::<i64>(&client, "EXECUTE p ('ctx-a')").await, 3);
    }
}

#[tokio::test]
async fn a_long_read_can_be_cancelled() {
    let client = session().await;
    let sql = "SELECT eventcore_append('{long-read}', '{NULL}',
        (SELECT array_agg('long-read'::text) FROM generate_series(1, 3000)),
        (SELECT array_agg('A'::text) FROM generate_series(1, 3000)),
        (SELECT array_agg('1'::jsonb) FROM generate_series(1, 3000)), NULL)";
    client.batch_execute(sql).await.unwrap();
    client
        .batch_execute("SET statement_timeout = '100ms'")
        .await
        .unwrap();
    let started = std::time::Instant::now();
    let failed = crate::support::failure(
        client
            .batch_execute(
                "SELECT count(e) FROM generate_series(1, 10000000) n,
                        LATERAL (SELECT * FROM eventcore_read_stream('long-read', n % 2)) e",
            )
            .await,
    );
    assert_eq!(failed.code, "57014");
    assert!(started.elapsed() < std::time::Duration::from_secs(3));
    client
        .batch_execute("SET statement_timeout = 0")
        .await
        .unwrap();
    assert_eq!(
        value::<i64>(
            &client,
            "SELECT count(*) FROM eventcore_read_stream('long-read')"
        )
        .await,
        3000
    );
}
