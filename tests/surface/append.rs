//! What an append writes, checks and returns.

use std::time::{Duration, SystemTime};

use serde_json::json;
use uuid::Uuid;

use crate::support::{Declared, append, database, event, event_with_id, session, stream, value};

/// P1.
#[tokio::test]
async fn an_error_in_the_last_event_leaves_nothing_of_the_others() {
    let (_, client) = database("append_atomic").await;
    // The constraint is the owner's, and PostgreSQL checks it only while the rows are written.
    client
        .batch_execute("CREATE UNIQUE INDEX unique_event_id ON eventcore.events (event_id)")
        .await
        .unwrap();
    let taken = Uuid::now_v7();
    append(
        &client,
        &[("atomic-taken", Some(0))],
        json!([event_with_id("atomic-taken", 1, taken)]),
    )
    .await
    .unwrap();
    let last_events = [
        ("SE002", event("atomic-undeclared", 1)),
        (
            "SE003",
            json!({"stream": "atomic-b", "type": "", "payload": 1}),
        ),
        ("23505", event_with_id("atomic-b", 2, taken)),
    ];
    for (code, last) in last_events {
        let declared = [("atomic-a", Some(0)), ("atomic-b", Some(0))];
        let events = json!([
            event("atomic-a", 1),
            event("atomic-b", 1),
            event("atomic-a", 2),
            last
        ]);
        let failed = append(&client, &declared, events).await.unwrap_err();
        assert_eq!(failed.code, code, "{failed:?}");
        assert_eq!(stream(&client, "atomic-a").await, []);
        assert_eq!(stream(&client, "atomic-b").await, []);
    }
}

/// P2.
#[tokio::test]
async fn a_stream_that_is_only_checked_decides_too_and_gets_no_event() {
    let client = session().await;
    append(
        &client,
        &[("checked", Some(0))],
        json!([event("checked", 1)]),
    )
    .await
    .unwrap();
    for stale in [0, 2] {
        let declared = [("checked", Some(stale)), ("checking", Some(0))];
        let failed = append(&client, &declared, json!([event("checking", 1)]))
            .await
            .unwrap_err();
        assert_eq!(
            failed.assert_ours("SE001"),
            json!({"conflicts": [{"stream": "checked", "expected": stale, "actual": 1}]})
        );
    }
    let declared = [("checked", Some(1)), ("checking", Some(0))];
    let done = append(&client, &declared, json!([event("checking", 1)]))
        .await
        .unwrap();
    assert_eq!(done.versions, [1, 1]);
    assert_eq!(stream(&client, "checked").await.len(), 1);
}

/// P2.
#[tokio::test]
async fn every_expectation_holds_exactly_where_it_should() {
    let client = session().await;
    append(
        &client,
        &[("expect", Some(0))],
        json!([event("expect", 1), event("expect", 2)]),
    )
    .await
    .unwrap();
    let table: [(&str, Option<i64>, bool); 11] = [
        ("expect", Some(2), true),
        ("expect", Some(1), false),
        ("expect", Some(3), false),
        ("expect", Some(0), false),
        ("expect", Some(-1), true),
        ("expect", None, true),
        ("expect", Some(i64::MAX), false),
        ("expect-none", Some(0), true),
        ("expect-none", Some(-1), false),
        ("expect-none", Some(1), false),
        ("expect-none", None, true),
    ];
    for (name, expected, holds) in table {
        // Once as a check alone, and once for a stream that is written; the write is rolled back.
        for events in [json!([]), json!([event(name, 3)])] {
            client.batch_execute("BEGIN").await.unwrap();
            let answer = append(&client, &[(name, expected)], events).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            let actual = if name == "expect" { 2 } else { 0 };
            match answer {
                Ok(_) => assert!(holds, "{name} {expected:?}"),
                Err(failed) => {
                    assert!(!holds, "{name} {expected:?}: {failed:?}");
                    let conflict = json!({"stream": name, "expected": expected, "actual": actual});
                    assert_eq!(
                        failed.assert_ours("SE001"),
                        json!({"conflicts": [conflict]})
                    );
                }
            }
        }
    }
}

/// P2.
#[tokio::test]
async fn all_conflicts_are_reported_together_in_the_order_of_declaration() {
    let client = session().await;
    append(&client, &[("many-b", Some(0))], json!([event("many-b", 1)]))
        .await
        .unwrap();
    let declared: [Declared<'_>; 5] = [
        ("many-z", Some(4)),
        ("many-b", Some(0)),
        ("many-fine", Some(0)),
        ("many-a", Some(-1)),
        ("many-c", None),
    ];
    let failed = append(&client, &declared, json!([event("many-fine", 1)]))
        .await
        .unwrap_err();
    assert_eq!(
        failed.assert_ours("SE001"),
        json!({"conflicts": [
            {"stream": "many-z", "expected": 4, "actual": 0},
            {"stream": "many-b", "expected": 0, "actual": 1},
            {"stream": "many-a", "expected": -1, "actual": 0},
        ]})
    );
    for name in ["many-z", "many-b", "many-a"] {
        assert!(failed.message.contains(name), "{failed:?}");
    }
}

/// P13: `%` is not taken for a format, and quotes and JSON's special characters are kept.
#[tokio::test]
async fn odd_names_come_back_in_errors_as_they_are() {
    let client = session().await;
    for name in [
        "%s%n%d",
        "\"quoted\" 'too' \\ $1",
        "ü 🦀 \u{202e}",
        "{\"a\":1}",
        "a;b--",
    ] {
        let name = format!("odd {name}");
        let failed = append(&client, &[(&name, Some(9))], json!([]))
            .await
            .unwrap_err();
        let detail = failed.assert_ours("SE001");
        assert_eq!(detail["conflicts"][0]["stream"], json!(name));
        assert!(failed.message.contains(&name), "{failed:?}");
        append(&client, &[(&name, Some(0))], json!([event(&name, 1)]))
            .await
            .unwrap();
        assert_eq!(stream(&client, &name).await[0].stream, name);
    }
}

/// P3.
#[tokio::test]
async fn versions_are_gapless_and_positions_ascend_in_the_order_of_the_events() {
    let client = session().await;
    let mut next = [0, 0, 0];
    for round in 0..5 {
        let names = ["gapless-0", "gapless-1", "gapless-2"];
        let declared: Vec<_> = names
            .iter()
            .zip(next)
            .map(|(name, n)| (*name, Some(n)))
            .collect();
        let order = [0, 1, 0, 2, 2, 1, 0, round % 3];
        let events: Vec<_> = order.iter().map(|i| event(names[*i], 0)).collect();
        order.iter().for_each(|i| next[*i] += 1);
        let done = append(&client, &declared, json!(events)).await.unwrap();
        assert_eq!(done.versions, next);
        let (first, last) = done.positions.unwrap();
        assert_eq!(last - first, 7);
        let written = client
            .query(
                "SELECT stream_id FROM eventcore.events WHERE position BETWEEN $1 AND $2
                 ORDER BY position",
                &[&first, &last],
            )
            .await
            .unwrap();
        let written: Vec<String> = written.iter().map(|row| row.get(0)).collect();
        assert_eq!(written, order.map(|i| names[i]));
    }
    for (name, count) in ["gapless-0", "gapless-1", "gapless-2"].iter().zip(next) {
        let versions: Vec<i64> = stream(&client, name)
            .await
            .iter()
            .map(|event| event.version)
            .collect();
        assert_eq!(versions, (1..=count).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_empty_list_of_events_only_checks() {
    let client = session().await;
    append(
        &client,
        &[("empty-a", Some(0))],
        json!([event("empty-a", 1)]),
    )
    .await
    .unwrap();
    let declared = [
        ("empty-a", Some(1)),
        ("empty-b", Some(0)),
        ("empty-c", None),
    ];
    let done = append(&client, &declared, json!([])).await.unwrap();
    assert_eq!(done.positions, None);
    assert_eq!(done.versions, [1, 0, 0]);
    assert!(!done.repeated);
    let failed = append(&client, &[("empty-a", Some(0))], json!([]))
        .await
        .unwrap_err();
    failed.assert_ours("SE001");
}

#[tokio::test]
async fn the_server_gives_uuids_of_version_7_that_are_unique() {
    let client = session().await;
    let events: Vec<_> = (0..500).map(|n| event("uuids", n)).collect();
    append(&client, &[("uuids", Some(0))], json!(events))
        .await
        .unwrap();
    let mut ids: Vec<Uuid> = stream(&client, "uuids")
        .await
        .iter()
        .map(|event| event.id)
        .collect();
    for id in &ids {
        assert_eq!(id.get_version_num(), 7, "{id}");
        let (seconds, _) = id.get_timestamp().unwrap().to_unix();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert!(now.abs_diff(seconds) < 60, "{id} is of {seconds}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 500);
}

#[tokio::test]
async fn recorded_at_is_the_servers_clock_and_the_same_for_the_whole_append() {
    let client = session().await;
    let before: SystemTime = value(&client, "SELECT clock_timestamp()").await;
    let done = append(
        &client,
        &[("clock-a", Some(0)), ("clock-b", Some(0))],
        json!([event("clock-a", 1), event("clock-b", 1)]),
    )
    .await
    .unwrap();
    let after: SystemTime = value(&client, "SELECT clock_timestamp()").await;
    assert!((before..=after).contains(&done.recorded_at), "{done:?}");
    for name in ["clock-a", "clock-b"] {
        assert_eq!(stream(&client, name).await[0].recorded_at, done.recorded_at);
    }
    assert!(after.duration_since(before).unwrap() < Duration::from_secs(5));
}

/// A closed stream takes no event, but a command may still depend on it.
#[tokio::test]
async fn a_closed_or_deleted_stream_takes_no_event_and_can_be_checked() {
    let client = session().await;
    for state in ["closed", "deleted"] {
        let (name, other) = (format!("state-{state}"), format!("beside-{state}"));
        let id = Uuid::now_v7();
        let first = json!([event_with_id(&name, 1, id)]);
        append(&client, &[(&name, Some(0))], first.clone())
            .await
            .unwrap();
        client
            .execute(
                "INSERT INTO eventcore.streams (stream_id, state) VALUES ($1, $2)",
                &[&name, &state],
            )
            .await
            .unwrap();
        for expected in [Some(1), Some(7), None] {
            let declared = [(other.as_str(), None), (name.as_str(), expected)];
            let events = json!([event(&other, 1), event(&name, 2)]);
            let failed = append(&client, &declared, events).await.unwrap_err();
            assert_eq!(
                failed.assert_ours("SE005"),
                json!({"stream": name, "state": state})
            );
        }
        // A repeat of an append from before the closing is still answered, P7.
        assert!(
            append(&client, &[(&name, Some(0))], first)
                .await
                .unwrap()
                .repeated
        );
        let declared = [(name.as_str(), Some(1)), (other.as_str(), Some(0))];
        append(&client, &declared, json!([event(&other, 1)]))
            .await
            .unwrap();
        assert_eq!(stream(&client, &name).await.len(), 1);
    }
}
