//! Appends that are no repeat, although they have ids of an earlier one.

use serde_json::{Value, json};
use uuid::Uuid;

use super::ids;
use crate::support::{FORMS, append, append_as, event_with_id, session, stream};

/// The events of the first append, and a change to them that makes the append another one.
type Change = (&'static str, fn(&mut Vec<Value>));

const CHANGES: [Change; 8] = [
    ("payload", |events| events[1]["payload"] = json!({"n": 7})),
    ("type", |events| events[0]["type"] = json!("Other")),
    ("metadata", |events| {
        events[0]["metadata"] = json!({"by": "eve"})
    }),
    ("no metadata", |events| {
        events[1].as_object_mut().unwrap().remove("metadata");
    }),
    ("order", |events| events.swap(0, 1)),
    ("one more", |events| {
        events.push(event_with_id(stream_of(events), 3, Uuid::now_v7()))
    }),
    ("other second", |events| {
        events[1]["id"] = json!(Uuid::now_v7().to_string())
    }),
    ("other first", |events| {
        events[0]["id"] = json!(Uuid::now_v7().to_string())
    }),
];

fn stream_of(events: &[Value]) -> &'static str {
    if events[0]["stream"] == json!("other-exact") {
        "other-exact"
    } else {
        "other-unchecked"
    }
}

#[tokio::test]
async fn the_same_ids_with_other_content_are_a_mismatch() {
    let client = session().await;
    let mut wrong = Vec::new();
    for (name, expected) in [("other-exact", Some(0)), ("other-unchecked", None)] {
        let [one, two] = ids();
        let mut second = event_with_id(name, 2, two);
        second["metadata"] = json!({"by": "ada"});
        let events = vec![event_with_id(name, 1, one), second];
        append(&client, &[(name, expected)], json!(events))
            .await
            .unwrap();
        for (what, change) in CHANGES {
            let mut changed = events.clone();
            change(&mut changed);
            match append(&client, &[(name, expected)], json!(changed)).await {
                Err(failed) if failed.code == "SE004" => {
                    let ids = failed.assert_ours("SE004")["event_ids"].clone();
                    assert!(!ids.as_array().unwrap().is_empty(), "{ids}");
                }
                other => wrong.push(format!("{name}, {what}: {other:?}")),
            }
        }
        assert_eq!(stream(&client, name).await.len(), 2);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// An append with another exact version than the first is not a repeat of it.
#[tokio::test]
async fn a_repeat_never_reports_a_version_that_its_events_do_not_have() {
    let client = session().await;
    let [one, two] = ids();
    let events = json!([
        event_with_id("lied-a", 1, one),
        event_with_id("lied-b", 1, two)
    ]);
    append(
        &client,
        &[("lied-a", None), ("lied-b", None)],
        events.clone(),
    )
    .await
    .unwrap();
    match append(&client, &[("lied-a", Some(7)), ("lied-b", None)], events).await {
        Ok(again) => assert_eq!(again.versions, [1, 1], "{again:?}"),
        Err(failed) => assert!(
            ["SE001", "SE004"].contains(&failed.code.as_str()),
            "{failed:?}"
        ),
    }
}

/// Ids are compared only where the events of a repeat would be.
#[tokio::test]
async fn an_id_in_use_in_another_stream_is_not_looked_for() {
    let client = session().await;
    let [taken] = ids();
    append(
        &client,
        &[("elsewhere", Some(0))],
        json!([event_with_id("elsewhere", 1, taken)]),
    )
    .await
    .unwrap();
    for (expected, name) in [(Some(0), "elsewhere-exact"), (None, "elsewhere-unchecked")] {
        let events = json!([event_with_id(name, 1, taken)]);
        let appended = append(&client, &[(name, expected)], events).await.unwrap();
        assert!(!appended.repeated, "{appended:?}");
        assert_eq!(stream(&client, name).await.len(), 1);
    }
}

#[tokio::test]
async fn a_version_conflict_where_other_ids_stand_stays_one() {
    let client = session().await;
    let [one, two] = ids();
    let send = |id| json!([event_with_id("not-mine", 1, id)]);
    append(&client, &[("not-mine", Some(0))], send(one))
        .await
        .unwrap();
    let failed = append(&client, &[("not-mine", Some(0))], send(two))
        .await
        .unwrap_err();
    failed.assert_ours("SE001");
}

#[tokio::test]
async fn an_id_that_appears_twice_in_one_call_is_malformed() {
    let client = session().await;
    let [id] = ids();
    let events = json!([event_with_id("twice", 1, id), event_with_id("twice", 2, id)]);
    for (form, argument) in FORMS.into_iter().zip(["events", "event_ids", "event_ids"]) {
        let failed = append_as(form, &client, &[("twice", Some(0))], events.clone()).await;
        let detail = failed.unwrap_err().assert_ours("SE003");
        assert_eq!(
            (&detail["argument"], &detail["index"]),
            (&json!(argument), &json!(1))
        );
    }
}
