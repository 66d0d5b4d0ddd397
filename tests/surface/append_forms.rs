//! All forms of `eventcore_append` have the same effects and results.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Declared, FORMS, append_as, event, session, stream, value};

/// Streams, events, and whether the append succeeds; `{s}` in a name is the form's own prefix.
fn appends() -> Vec<(Vec<Declared<'static>>, Value)> {
    vec![
        (vec![("{s}a", Some(0))], json!([event("{s}a", 1)])),
        (
            vec![("{s}a", Some(1)), ("{s}b", Some(0))],
            json!([event("{s}b", 1), event("{s}a", 2)]),
        ),
        // Checked only.
        (
            vec![("{s}a", Some(2)), ("{s}c", Some(0))],
            json!([event("{s}c", 1)]),
        ),
        // Unchecked, existing, and both together.
        (vec![("{s}d", None)], json!([event("{s}d", 1)])),
        (
            vec![("{s}d", Some(-1)), ("{s}e", None)],
            json!([event("{s}d", 2), event("{s}e", 1)]),
        ),
        // Nothing to write.
        (vec![("{s}a", Some(2)), ("{s}nowhere", Some(0))], json!([])),
        // Interleaved.
        (
            vec![("{s}f", Some(0)), ("{s}g", Some(0))],
            json!([
                event("{s}f", 1),
                event("{s}g", 1),
                event("{s}f", 2),
                event("{s}g", 2)
            ]),
        ),
        // Every kind of payload, metadata null and absent.
        (
            vec![("{s}kinds", Some(0))],
            json!([
                {"stream": "{s}kinds", "type": "Text", "payload": "ü 🦀"},
                {"stream": "{s}kinds", "type": "Number", "payload": 1.50},
                {"stream": "{s}kinds", "type": "Truth", "payload": false},
                {"stream": "{s}kinds", "type": "List", "payload": [1, null, [2]]},
                {"stream": "{s}kinds", "type": "Empty list", "payload": []},
                {"stream": "{s}kinds", "type": "Empty object", "payload": {}},
                {"stream": "{s}kinds", "type": "Deep", "payload": {"a": {"b": {"c": [{}]}}}},
                {"stream": "{s}kinds", "type": "Meta", "payload": 1, "metadata": {"by": "ada"}},
                {"stream": "{s}kinds", "type": "No meta", "payload": 1, "metadata": null},
                {"stream": "{s}kinds", "type": "Empty meta", "payload": 1, "metadata": {}},
            ]),
        ),
        // Conflicts.
        (
            vec![("{s}a", Some(0)), ("{s}b", Some(7))],
            json!([event("{s}a", 3)]),
        ),
        (
            vec![("{s}nowhere", Some(-1))],
            json!([event("{s}nowhere", 1)]),
        ),
        // Undeclared.
        (
            vec![("{s}a", None)],
            json!([event("{s}a", 3), event("{s}b", 2)]),
        ),
        // Malformed.
        (
            vec![("{s}a", None)],
            json!([{"stream": "{s}a", "type": "", "payload": 1}]),
        ),
        (
            vec![("{s}a", None)],
            json!([{"stream": "{s}a", "type": "A", "payload": 1, "metadata": 7}]),
        ),
    ]
}

#[tokio::test]
async fn all_forms_of_append_store_and_answer_the_same() {
    let client = session().await;
    let mut outcomes = Vec::new();
    for form in FORMS {
        let prefix = format!("forms-{form:?}-").to_lowercase();
        let mut outcome = Vec::new();
        for (declared, events) in appends() {
            let names: Vec<String> = declared
                .iter()
                .map(|(name, _)| name.replace("{s}", &prefix))
                .collect();
            let declared: Vec<Declared<'_>> = names
                .iter()
                .zip(&declared)
                .map(|(name, (_, expected))| (name.as_str(), *expected))
                .collect();
            let events = serde_json::from_str(&events.to_string().replace("{s}", &prefix)).unwrap();
            let answer = append_as(form, &client, &declared, events).await;
            outcome.push(match answer {
                Ok(done) => {
                    let count = done.positions.map(|(first, last)| last - first + 1);
                    format!("{count:?} {:?} {}", done.versions, done.repeated)
                }
                // The forms name their arguments differently.
                Err(failed) if failed.code == "SE003" => {
                    format!("SE003 {}", failed.json()["reason"])
                }
                Err(failed) => format!("{} {}", failed.code, failed.json()).replace(&prefix, "{s}"),
            });
        }
        for name in ["a", "b", "c", "d", "e", "f", "g", "kinds", "nowhere"] {
            for event in stream(&client, &format!("{prefix}{name}")).await {
                outcome.push(format!(
                    "{name} {} {} {} {:?}",
                    event.version, event.event_type, event.payload, event.metadata
                ));
            }
        }
        outcomes.push(outcome);
    }
    assert_eq!(outcomes[0].len(), 13 + 21, "{:#?}", outcomes[0]);
    for other in &outcomes[1..] {
        for (json, other) in outcomes[0].iter().zip(other) {
            assert_eq!(json, other);
        }
    }
}

#[tokio::test]
async fn correlation_and_causation_are_stored_with_every_event_in_all_forms() {
    let client = session().await;
    let (correlation, causation) = (Uuid::now_v7(), Uuid::now_v7());
    let calls = [
        "SELECT eventcore_append('{correlated-json}', '{0}',
            '[{\"stream\":\"correlated-json\",\"type\":\"A\",\"payload\":1},
              {\"stream\":\"correlated-json\",\"type\":\"A\",\"payload\":2}]',
            correlation_id => $1, causation_id => $2)",
        "SELECT eventcore_append('{correlated-arrays}', '{0}', '{correlated-arrays,correlated-arrays}',
            '{A,A}', '{1,2}', NULL, correlation_id => $1, causation_id => $2)",
        "SELECT eventcore_append('{correlated-half}', '{0}', '{correlated-half,correlated-half}',
            '{A,A}', '{1,2}', NULL, correlation_id => $1, causation_id => CASE WHEN $2::uuid IS NULL THEN $2 END)",
        "SELECT eventcore_append_compact('{correlated-compact}', '{0}', '{correlated-compact,correlated-compact}',
            '{A,A}', '{1,2}', correlation_id => $1, causation_id => $2)",
    ];
    for (call, (name, causation)) in calls.iter().zip([
        ("correlated-json", Some(causation)),
        ("correlated-arrays", Some(causation)),
        ("correlated-half", None),
        ("correlated-compact", Some(causation)),
    ]) {
        client
            .execute(*call, &[&correlation, &causation])
            .await
            .unwrap();
        let events = stream(&client, name).await;
        assert_eq!(events.len(), 2);
        for event in events {
            assert_eq!(event.correlation_id, Some(correlation));
            assert_eq!(event.causation_id, causation, "{name}");
        }
    }
}

/// Drivers that send no types, such as psycopg, must reach both forms by position.
#[tokio::test]
async fn the_number_of_arguments_tells_the_forms_apart_where_they_have_no_types() {
    let client = session().await;
    let json = r#"'[{"stream":"untyped","type":"A","payload":1}]'"#;
    let calls = [
        format!("'{{untyped}}', '{{0}}', {json}"),
        format!("'{{untyped}}', '{{1}}', {json}, NULL"),
        format!("'{{untyped}}', '{{2}}', {json}, NULL, '0190b0f0-0000-7000-8000-000000000001'"),
        "'{untyped}', '{3}', '{untyped}', '{A}', '{1}', NULL".to_owned(),
        "'{untyped}', '{4}', '{untyped}', '{A}', '{1}', '{NULL}', NULL".to_owned(),
        "'{untyped}', '{5}', '{untyped}', '{A}', '{1}', NULL, '{NULL}', NULL, NULL".to_owned(),
    ];
    for call in calls {
        let sql = format!("SELECT eventcore_append({call})");
        client
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    assert_eq!(stream(&client, "untyped").await.len(), 6);
}

#[tokio::test]
async fn the_compact_form_returns_the_values_of_a_row_in_one_list() {
    let client = session().await;
    let call = "SELECT eventcore_append_compact('{compact-b,compact-a}', '{NULL,0}', '{compact-a,compact-a}', '{A,A}',
        ARRAY['1', '{\"n\": 2}'], NULL,
        '{0190b0f0-0000-7000-8000-0000000000c1,0190b0f0-0000-7000-8000-0000000000c2}')";
    for repeated in [0, 1] {
        let values: Vec<Option<i64>> = value(&client, call).await;
        let stored = "SELECT ARRAY[min(position), max(position), (extract(epoch FROM min(recorded_at)) * 1000000)::bigint]
                        FROM eventcore.events WHERE stream_id = 'compact-a'";
        let mut expected: Vec<Option<i64>> = value(&client, stored).await;
        expected.extend([repeated, 0, 2].map(Some));
        assert_eq!(values, expected);
    }
    // As an array of the server, whether it has NULLs or not.
    for events in ["'{}', '{}', '{}'", "'{compact-d}', '{D}', '{1}'"] {
        let call = format!(
            "SELECT eventcore_append_compact('{{compact-d,compact-e}}', '{{0,0}}', {events}) AS r OFFSET 0"
        );
        let same = "array_send(r) = array_send(array_cat(r, '{}')) AND array_send(r) = array_send(ARRAY(SELECT unnest(r)))
            AND array_dims(r) = '[1:6]' AND r = r::text::bigint[]";
        let is_array = format!("SELECT {same} FROM ({call}) AS appended");
        assert!(value::<bool>(&client, &is_array).await, "{events}");
    }
    let nothing =
        "SELECT eventcore_append_compact('{compact-b,compact-a}', '{0,2}', '{}', '{}', '{}')";
    let values: Vec<Option<i64>> = value(&client, nothing).await;
    let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let age = value::<i64>(&client, now).await - values[2].unwrap();
    assert!((0..60_000_000).contains(&age), "{age}");
    assert_eq!(values[..2], [None, None]);
    assert_eq!(values[3..], [0, 0, 2].map(Some));
}

#[tokio::test]
async fn each_event_of_a_compact_append_can_have_a_correlation_and_a_causation_of_its_own() {
    let client = session().await;
    let [all, one, two] = [(); 3].map(|()| Uuid::now_v7());
    let none = None::<Vec<Option<Uuid>>>;
    let each = |ids: [Option<Uuid>; 3]| Some(ids.to_vec());
    // Of all events, of each, and what the events then have.
    let cases = [
        (None, none.clone(), [None; 3]),
        (Some(all), none, [Some(all); 3]),
        (
            None,
            each([Some(one), None, Some(two)]),
            [Some(one), None, Some(two)],
        ),
        (
            Some(all),
            each([Some(one), None, Some(two)]),
            [Some(one), Some(all), Some(two)],
        ),
        (Some(all), each([None; 3]), [Some(all); 3]),
    ];
    let mut expected_version = 0_i64;
    for (correlation_id, correlation_ids, correlations) in &cases {
        for (causation_id, causation_ids, causations) in &cases {
            client
                .execute(
                    "SELECT eventcore_append_compact('{origins}', ARRAY[$1::bigint], '{origins,origins,origins}', '{A,A,A}',
                        '{1,2,3}', correlation_id => $2, causation_id => $3, correlation_ids => $4, causation_ids => $5)",
                    &[&expected_version, correlation_id, causation_id, correlation_ids, causation_ids],
                )
                .await
                .unwrap();
            let events = stream(&client, "origins").await;
            let stored = events[usize::try_from(expected_version).unwrap()..]
                .iter()
                .map(|event| (event.correlation_id, event.causation_id));
            let expected = correlations.iter().copied().zip(causations.iter().copied());
            assert_eq!(stored.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            expected_version += 3;
        }
    }
}

#[tokio::test]
async fn a_known_position_is_one_that_an_append_of_this_history_has_got() {
    let client = session().await;
    let append = |position: &str| {
        format!(
            "SELECT eventcore_append_compact('{{known}}', '{{NULL}}', '{{known}}', '{{T}}', '{{1}}',
                                             known_position => {position})"
        )
    };
    let first: Vec<i64> = value(&client, &append("NULL")).await;
    let second: Vec<i64> = value(&client, &append(&first[0].to_string())).await;
    assert_eq!(second[4], 2);
    for (position, code) in [("0", "SE003"), ("-7", "SE003"), ("1000000000000", "SE011")] {
        let error = client.query(&append(position), &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), code, "{position}: {error:?}");
    }
}
