//! P13: if an argument is wrong, the error says which one and why, and the session goes on. One
//! table of calls per function.

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::malformed::{COLUMNS, EVENTS, EXPECTED_VERSIONS, NO_JSON, READS, STREAMS};
use crate::support::{FORMS, append, append_as, database, event, failure, session, stream, value};

/// The argument, index and field that an SE003 names.
fn place(detail: &Value) -> String {
    let mut place = detail["argument"].as_str().unwrap_or("?").to_owned();
    if let Some(index) = detail.get("index") {
        place.push_str(&format!("[{index}]"));
    }
    if let Some(field) = detail.get("field").and_then(Value::as_str) {
        place.push_str(&format!(".{field}"));
    }
    place
}

/// Each call fails with SE003 at its place, and the session goes on. Shows all calls that do not.
pub(crate) async fn assert_malformed(
    client: &Client,
    cases: impl IntoIterator<Item = (String, &str)>,
) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (sql, expected) in cases {
        count += 1;
        let failed = match client.batch_execute(&sql).await {
            Ok(()) => {
                wrong.push(format!("{expected}: no error: {sql}"));
                continue;
            }
            Err(error) => crate::support::Failure::from(error),
        };
        if failed.code != "SE003" {
            wrong.push(format!("{expected}: {sql}: {failed:?}"));
            continue;
        }
        let detail = failed.assert_ours("SE003");
        let documented = ["argument", "index", "field", "reason"];
        let keys_are_known = detail
            .as_object()
            .unwrap()
            .keys()
            .all(|key| documented.contains(&key.as_str()));
        let has_reason = detail["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty());
        let place = place(&detail);
        let named = failed.message.starts_with(&place) && failed.message.len() < 600;
        if place != expected || !keys_are_known || !has_reason || !named {
            wrong.push(format!("{expected}: {sql}: {failed:?}"));
        }
        assert_eq!(value::<i32>(client, "SELECT 1").await, 1);
    }
    assert!(
        count > 0 && wrong.is_empty(),
        "{} of {count}: {wrong:#?}",
        wrong.len()
    );
}

/// Each call fails with SE007, which names what does not exist.
pub(crate) async fn assert_unknown(client: &Client, name: &str, calls: &[&str]) {
    for call in calls {
        let sql = format!("SELECT * FROM {call}");
        let failed = failure(client.batch_execute(&sql).await);
        let detail = failed.assert_ours("SE007");
        assert!(
            detail.to_string().contains(&format!("\"{name}\"")),
            "{call}: {detail}"
        );
    }
}

#[tokio::test]
async fn every_function_refuses_what_is_no_list_of_streams() {
    let client = session().await;
    let functions = [
        "eventcore_append(?, '{0}', '[]')",
        "eventcore_append(?, '{0}', '{}', '{}', '{}', NULL)",
        "eventcore_append_compact(?, '{0}', '{}', '{}', '{}', NULL)",
        "eventcore_read_streams(?)",
        "eventcore_stream_versions(?)",
    ];
    let cases = functions.iter().flat_map(|function| {
        STREAMS.map(|(streams, place)| {
            (
                format!("SELECT * FROM {}", function.replace('?', streams)),
                place,
            )
        })
    });
    assert_malformed(&client, cases).await;
}

#[tokio::test]
async fn append_refuses_expected_versions_that_do_not_fit() {
    let client = session().await;
    let functions = [
        "eventcore_append('{a,b}', ?, '[]')",
        "eventcore_append('{a,b}', ?, '{}', '{}', '{}', NULL)",
        "eventcore_append_compact('{a,b}', ?, '{}', '{}', '{}', NULL)",
    ];
    let cases = functions.iter().flat_map(|function| {
        EXPECTED_VERSIONS
            .map(|(sql, place)| (format!("SELECT {}", function.replace('?', sql)), place))
    });
    assert_malformed(&client, cases).await;
}

#[tokio::test]
async fn append_refuses_json_that_is_no_list_of_events() {
    let client = session().await;
    let literal = |json: &str| match json {
        "NULL" => "NULL::jsonb".to_owned(),
        json => format!("'{json}'"),
    };
    let cases = EVENTS.map(|(json, place)| {
        (
            format!(
                "SELECT eventcore_append('{{a}}', '{{NULL}}', {})",
                literal(json)
            ),
            place,
        )
    });
    assert_malformed(&client, cases).await;

    let long = [(255, true), (256, false), (100_000, false)].map(|(length, fits)| {
        let name = "t".repeat(length);
        (
            json!([{"stream": "long-type", "type": name, "payload": 1}]),
            fits,
        )
    });
    for (events, fits) in long {
        match append(&client, &[("long-type", None)], events).await {
            Ok(_) => assert!(fits),
            Err(failed) => {
                assert!(!fits);
                assert_eq!(place(&failed.assert_ours("SE003")), "events[0].type");
            }
        }
    }
}

#[tokio::test]
async fn append_refuses_arrays_that_are_no_columns_of_events() {
    let client = session().await;
    for function in ["eventcore_append", "eventcore_append_compact"] {
        let cases = COLUMNS.map(|(columns, place)| {
            (
                format!("SELECT {function}('{{a}}', '{{NULL}}', {columns})"),
                place,
            )
        });
        assert_malformed(&client, cases).await;
    }
}

#[tokio::test]
async fn the_compact_append_refuses_origins_that_are_not_one_for_each_event() {
    let client = session().await;
    let call = "SELECT eventcore_append_compact('{a}', '{NULL}', '{a,a}', '{A,A}', '{1,2}'";
    let mut cases = Vec::new();
    for name in ["correlation_ids", "causation_ids"] {
        for ids in ["{}", "{NULL}", "{NULL,NULL,NULL}", "{{NULL,NULL}}"] {
            cases.push((format!("{call}, {name} => '{ids}')"), name));
        }
        let none = format!(
            "SELECT eventcore_append_compact('{{a}}', '{{NULL}}', '{{}}', '{{}}', '{{}}', {name} => '{{NULL}}')"
        );
        cases.push((none, name));
    }
    assert_malformed(&client, cases).await;
    let failed = failure(
        client
            .batch_execute(&format!("{call}, causation_ids => '{{NULL}}')"))
            .await,
    );
    assert_eq!(
        failed.message,
        "causation_ids has 1 elements, event_streams has 2"
    );
}

#[tokio::test]
async fn compact_forms_refuse_texts_that_are_no_json() {
    let client = session().await;
    let mut cases = Vec::new();
    for bad in NO_JSON {
        for (columns, place) in [
            (format!("ARRAY['1', {bad}], NULL"), "payloads[1]"),
            (format!("'{{1,2}}', ARRAY[{bad}, NULL]"), "metadata[0]"),
        ] {
            let call = format!("'{{a}}', '{{NULL}}', '{{a,a}}', '{{A,A}}', {columns}");
            cases.push((format!("SELECT eventcore_append_compact({call})"), place));
        }
        let execute = |arguments| format!("SELECT eventcore_execute_compact('c', {arguments})");
        cases.push((execute(bad.to_owned()), "input"));
        cases.push((execute(format!("'1', metadata => {bad}")), "metadata"));
    }
    assert_malformed(&client, cases).await;

    let call = r#"SELECT eventcore_append_compact('{a}', '{NULL}', '{a}', '{A}', ARRAY['{"a": "\u0000"}'])"#;
    let failed = failure(client.batch_execute(call).await);
    let message = "payloads[0] cannot be a jsonb: unsupported Unicode escape sequence (\\u0000 cannot be converted to text.)";
    assert_eq!(failed.message, message);
}

/// That a text is nested too deep depends on a setting of the server, so it stays the server's
/// error.
#[tokio::test]
async fn compact_forms_leave_the_limit_of_the_stack_to_the_server() {
    let client = session().await;
    let deep = "repeat('[', 1000000) || repeat(']', 1000000)";
    for call in [
        format!("eventcore_append_compact('{{a}}', '{{NULL}}', '{{a}}', '{{A}}', ARRAY[{deep}])"),
        format!("eventcore_execute_compact('c', {deep})"),
    ] {
        let failed = failure(client.batch_execute(&format!("SELECT {call}")).await);
        assert_eq!(failed.code, "54001", "{failed:?}");
    }
    assert_eq!(value::<i32>(&client, "SELECT 1").await, 1);
}

#[tokio::test]
async fn reads_refuse_arguments_that_mean_nothing() {
    let client = session().await;
    assert_malformed(
        &client,
        READS.map(|(sql, place)| (format!("SELECT * {sql}"), place)),
    )
    .await;
}

#[tokio::test]
async fn wait_refuses_arguments_that_mean_nothing() {
    let client = session().await;
    let cases = [
        ("CALL eventcore_wait(NULL)", "after_position"),
        ("CALL eventcore_wait(-1)", "after_position"),
        ("CALL eventcore_wait(0, NULL)", "timeout"),
        ("CALL eventcore_wait(0, '-1 second')", "timeout"),
        ("CALL eventcore_wait(0, '-1 day 1 hour')", "timeout"),
        ("CALL eventcore_wait(0, '-178000000 years')", "timeout"),
    ];
    assert_malformed(&client, cases.map(|(sql, place)| (sql.to_owned(), place))).await;
}

#[tokio::test]
async fn an_event_of_an_undeclared_stream_is_se002_with_the_stream_and_the_event() {
    let client = session().await;
    for name in [
        "undeclared-b",
        "UNDECLARED-A",
        "undeclared-a ",
        "undeclared",
        "%s",
    ] {
        let events = json!([event("undeclared-a", 1), event(name, 1)]);
        for form in FORMS {
            let declared = [("undeclared-a", Some(0))];
            let answer = append_as(form, &client, &declared, events.clone()).await;
            let detail = answer.unwrap_err().assert_ours("SE002");
            assert_eq!(detail, json!({"stream": name, "event": 1}));
        }
    }
    assert_eq!(stream(&client, "undeclared-a").await, []);
}

/// Such a name is not repeated in full, least of all in the log.
#[tokio::test]
async fn an_event_of_a_stream_that_can_be_none_is_malformed() {
    let client = session().await;
    for name in ["", "tab\t", &"ü".repeat(128), &"x".repeat(1_000_000)] {
        let events = json!([event("no-stream", 1), event(name, 1)]);
        for (form, expected) in
            FORMS
                .into_iter()
                .zip(["events[1].stream", "event_streams[1]", "event_streams[1]"])
        {
            let declared = [("no-stream", None)];
            let failed = append_as(form, &client, &declared, events.clone())
                .await
                .unwrap_err();
            assert_eq!(place(&failed.assert_ours("SE003")), expected);
            let (message, detail) = (
                failed.message.len(),
                failed.detail.unwrap_or_default().len(),
            );
            assert!(
                message < 2_000 && detail < 2_000,
                "{message} and {detail} bytes"
            );
        }
    }
}

#[tokio::test]
async fn the_longest_names_and_odd_characters_are_fine() {
    let client = session().await;
    let names = [
        "a".repeat(255),
        format!("{}a", "ü".repeat(127)),
        " ".into(),
        "%_\\".into(),
    ];
    for name in names {
        let events = json!([{"stream": name, "type": name, "payload": 0}]);
        append(&client, &[(&name, Some(0))], events).await.unwrap();
        let events = stream(&client, &name).await;
        assert_eq!((&events[0].stream, &events[0].event_type), (&name, &name));
    }
}

#[tokio::test]
async fn what_the_types_refuse_arrives_as_the_servers_own_error() {
    let client = session().await;
    let cases = [
        (
            "22P05",
            r#"'{a}', '{0}', '[{"stream":"a","type":"A","payload":"\u0000"}]'"#,
        ),
        (
            "22P05",
            r#"'{a}', '{0}', '[{"stream":"a\u0000","type":"A","payload":1}]'"#,
        ),
        ("22021", r#"ARRAY[E'a\x00b'], '{0}', '[]'"#),
        ("22021", r#"ARRAY[E'\xff'], '{0}', '[]'"#),
        ("22P02", r#"'{a}', '{0}', '[{"stream":"a"'"#),
        ("22P02", r#"'{a}', '{x}', '[]'"#),
        ("22P02", r#"'{a}', '{0}', '[]', 'no-uuid'"#),
        (
            "22P02",
            r#"'{a}', '{0}', '{a}', '{A}', '{1}', NULL, '{no-uuid}'"#,
        ),
        ("22P02", r#"'{a}', '{0}', '{a}', '{A}', '{nothing}', NULL"#),
        ("22003", r#"'{a}', '{99999999999999999999}', '[]'"#),
        ("42883", "'{a}', '{0}'"),
    ];
    for (code, arguments) in cases {
        let sql = format!("SELECT eventcore_append({arguments})");
        assert_eq!(
            failure(client.batch_execute(&sql).await).code,
            code,
            "{sql}"
        );
    }
}

/// A NULL for an argument with a default means the default.
#[tokio::test]
async fn null_for_an_optional_argument_is_its_default() {
    // In a database of its own: in the shared one, an open append of another test may hold back the
    // safe position.
    let (_, client) = database("null_defaults").await;
    append(&client, &[("nulls", Some(0))], json!([event("nulls", 1)]))
        .await
        .unwrap();
    for sql in [
        "SELECT count(*) FROM eventcore_read_stream('nulls', NULL, NULL, NULL, NULL)",
        "SELECT count(*) FROM eventcore_read_streams('{nulls}', NULL, NULL, NULL)",
        "SELECT count(*) FROM eventcore_read_streams('{nulls}', '{NULL}')",
        "SELECT count(*) FROM eventcore_read_all(NULL, NULL, NULL, '{nulls}', NULL)",
    ] {
        assert_eq!(value::<i64>(&client, sql).await, 1, "{sql}");
    }
    assert_eq!(
        value::<Vec<i64>>(
            &client,
            "SELECT versions FROM eventcore_append('[7:8]={nulls,none}', '[0:1]={1,0}', '[]', NULL, NULL)"
        )
        .await,
        [1, 0]
    );
}

/// The SQLSTATE is right even when the error is caught and other errors follow.
#[tokio::test]
async fn errors_can_be_caught_in_plpgsql_and_savepoints_and_do_not_stain_later_ones() {
    let client = session().await;
    client
        .batch_execute(
            r#"
            CREATE FUNCTION caught(call text) RETURNS text LANGUAGE plpgsql AS $$
            DECLARE state text; detail text; hint text;
            BEGIN
                EXECUTE call;
                RETURN 'fine';
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL,
                                        hint = PG_EXCEPTION_HINT;
                RETURN state || CASE WHEN state LIKE 'SE%' THEN
                    ' ' || (detail::jsonb)::text || CASE WHEN hint = '' THEN ' no hint' ELSE '' END
                    ELSE '' END;
            END $$"#,
        )
        .await
        .unwrap();
    for _ in 0..50 {
        let row = client
            .query_one(
                "SELECT caught('SELECT eventcore_append(''{caught}'', ''{7}'', ''[]'')'),
                        caught('SELECT 1/0'),
                        caught('SELECT eventcore_read_all(-1)'),
                        caught('SELECT nothing'),
                        caught('SELECT eventcore_safe_position()'),
                        caught('DO $d$BEGIN RAISE EXCEPTION SQLSTATE ''ZZ123''; END$d$')",
                &[],
            )
            .await
            .unwrap();
        let states: Vec<String> = (0..6).map(|column| row.get(column)).collect();
        assert!(states[0].starts_with("SE001 {\"conflicts\""), "{states:?}");
        assert_eq!(states[1], "22012");
        assert!(states[2].starts_with("SE003 {"), "{states:?}");
        assert_eq!(&states[3..], ["42703", "fine", "ZZ123"]);
        assert_eq!(
            failure(client.batch_execute("SELECT 1/0").await).code,
            "22012"
        );
        assert_eq!(
            failure(client.batch_execute("SELECT eventcore_read_all(-1)").await).code,
            "SE003"
        );
    }
    client.batch_execute("BEGIN").await.unwrap();
    for _ in 0..50 {
        client.batch_execute("SAVEPOINT s").await.unwrap();
        failure(client.batch_execute("SELECT eventcore_read_all(-1)").await).assert_ours("SE003");
        client.batch_execute("ROLLBACK TO s").await.unwrap();
        assert_eq!(
            failure(client.batch_execute("SELECT 1/0").await).code,
            "22012"
        );
        client.batch_execute("ROLLBACK TO s").await.unwrap();
    }
    append(&client, &[("caught", Some(0))], json!([event("caught", 1)]))
        .await
        .unwrap();
    client.batch_execute("COMMIT").await.unwrap();
}
