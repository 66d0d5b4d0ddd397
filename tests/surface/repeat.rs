//! P7: eventcore recognises a repeated append by its event ids.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    Appended, FORMS, append, append_as, connect, database, event, event_with_id, failure, session,
    stream, until_waiting, value,
};

fn ids<const N: usize>() -> [Uuid; N] {
    std::array::from_fn(|_| Uuid::now_v7())
}

#[track_caller]
fn assert_repeats(first: &Appended, again: &Appended) {
    assert!(!first.repeated, "{first:?}");
    assert_eq!(
        *again,
        Appended {
            repeated: true,
            ..first.clone()
        }
    );
}

#[tokio::test]
async fn an_exact_repeat_returns_the_first_result_and_writes_nothing() {
    let client = session().await;
    for form in FORMS {
        let (a, b) = (format!("repeat-a-{form:?}"), format!("repeat-b-{form:?}"));
        let [one, two, three] = ids();
        let declared = [(a.as_str(), Some(0)), (b.as_str(), Some(0))];
        let events = json!([
            event_with_id(&a, 1, one),
            event_with_id(&b, 1, two),
            event_with_id(&a, 2, three)
        ]);
        let first = append_as(form, &client, &declared, events.clone())
            .await
            .unwrap();
        for form in FORMS {
            let again = append_as(form, &client, &declared, events.clone())
                .await
                .unwrap();
            assert_repeats(&first, &again);
        }
        assert_eq!(stream(&client, &a).await.len(), 2);
        assert_eq!(stream(&client, &b).await.len(), 1);
    }
}

/// `jsonb` has no order of keys, and equal numbers are equal however they are written.
#[tokio::test]
async fn payloads_that_are_equal_as_jsonb_are_the_same_payload() {
    let client = session().await;
    let call = |payload: &str, id: Uuid| {
        format!(
            "SELECT repeated FROM eventcore_append('{{repeat-equal}}', '{{0}}', '{{repeat-equal}}',
                 '{{A}}', ARRAY[jsonb '{payload}'], NULL, '{{{id}}}')"
        )
    };
    let [id] = ids();
    let written = call(r#"{"a": 1, "b": [2, {"c": null}]}"#, id);
    assert!(!value::<bool>(&client, &written).await);
    let again = call(r#"{"b": [2.0, {"c": null}], "a": 1}"#, id);
    assert!(value::<bool>(&client, &again).await);
    let other = call(r#"{"a": 1, "b": [2, {"c": false}]}"#, id);
    failure(client.batch_execute(&other).await).assert_ours("SE004");
}

#[tokio::test]
async fn a_repeat_is_recognised_after_the_streams_have_moved_on() {
    let client = session().await;
    let [one, two] = ids();
    append(
        &client,
        &[("moved-seen", Some(0))],
        json!([event("moved-seen", 1)]),
    )
    .await
    .unwrap();
    let declared = [
        ("moved-a", Some(0)),
        ("moved-seen", Some(1)),
        ("moved-b", Some(0)),
    ];
    let events = json!([
        event_with_id("moved-a", 1, one),
        event_with_id("moved-b", 1, two)
    ]);
    let first = append(&client, &declared, events.clone()).await.unwrap();
    for name in ["moved-a", "moved-seen", "moved-b"] {
        append(
            &client,
            &[(name, None)],
            json!([event(name, 8), event(name, 9)]),
        )
        .await
        .unwrap();
        assert_repeats(
            &first,
            &append(&client, &declared, events.clone()).await.unwrap(),
        );
    }
}

#[tokio::test]
async fn a_repeat_is_recognised_in_the_transaction_of_the_first() {
    let mut client = session().await;
    let [one] = ids();
    let declared = [("repeat-tx", Some(0))];
    let events = json!([event_with_id("repeat-tx", 1, one)]);
    let transaction = client.transaction().await.unwrap();
    let first = append(&transaction, &declared, events.clone())
        .await
        .unwrap();
    assert_repeats(
        &first,
        &append(&transaction, &declared, events.clone())
            .await
            .unwrap(),
    );
    transaction.rollback().await.unwrap();

    // A rolled-back append never existed.
    let first = append(&client, &declared, events.clone()).await.unwrap();
    assert_repeats(&first, &append(&client, &declared, events).await.unwrap());
}

#[tokio::test]
async fn the_order_of_keys_and_the_spelling_of_numbers_do_not_make_another_content() {
    let client = session().await;
    let [id] = ids();
    let call = |payload: &str| {
        format!(
            r#"SELECT repeated FROM eventcore_append('{{spelling}}', '{{0}}',
                   '[{{"stream":"spelling","type":"A","payload":{payload},"id":"{id}"}}]')"#
        )
    };
    assert!(!value::<bool>(&client, &call(r#"{"a": 1, "b": [2.0]}"#)).await);
    assert!(value::<bool>(&client, &call(r#"{"b":[2.00],"a":1}"#)).await);
}

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

#[tokio::test]
async fn an_unchecked_repeat_is_recognised_by_its_ids() {
    let client = session().await;
    for expected in [None, Some(-1)] {
        let name = format!("unchecked-{}", expected.unwrap_or_default());
        append(&client, &[(&name, None)], json!([event(&name, 0)]))
            .await
            .unwrap();
        let [one, two] = ids();
        let events = json!([event_with_id(&name, 1, one), event_with_id(&name, 2, two)]);
        let first = append(&client, &[(&name, expected)], events.clone())
            .await
            .unwrap();
        assert_repeats(
            &first,
            &append(&client, &[(&name, expected)], events.clone())
                .await
                .unwrap(),
        );
        append(&client, &[(&name, None)], json!([event(&name, 3)]))
            .await
            .unwrap();
        let again = append(&client, &[(&name, expected)], events).await.unwrap();
        assert_repeats(&first, &again);
        assert_eq!(stream(&client, &name).await.len(), 4);
    }
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

/// Without an exact version, an append is looked for among the last 100 events of its streams.
#[tokio::test]
async fn an_unchecked_repeat_is_recognised_until_100_events_came_after_it() {
    let client = session().await;
    let name = "window";
    let later = |count: i64| json!((0..count).map(|n| event(name, n)).collect::<Vec<_>>());
    let [one, two, other] = ids();
    let events = json!([
        event_with_id(name, 1, one),
        event_with_id("window-other", 1, other),
        event_with_id(name, 2, two)
    ]);
    let declared = [(name, None), ("window-other", Some(-1))];
    append(
        &client,
        &[("window-other", None)],
        json!([event("window-other", 0)]),
    )
    .await
    .unwrap();
    let first = append(&client, &declared, events.clone()).await.unwrap();
    append(&client, &[(name, None)], later(99)).await.unwrap();
    append(
        &client,
        &[("window-other", None)],
        json!(
            (0..100)
                .map(|n| event("window-other", n))
                .collect::<Vec<_>>()
        ),
    )
    .await
    .unwrap();
    let again = append(&client, &declared, events.clone()).await.unwrap();
    assert_repeats(&first, &again);

    // Beyond that it is another append.
    append(&client, &[(name, None)], later(1)).await.unwrap();
    let another = append(&client, &declared, events).await.unwrap();
    assert!(!another.repeated, "{another:?}");
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

#[tokio::test]
async fn of_two_sessions_that_send_the_same_append_at_once_one_writes() {
    let (one, two) = (session().await, session().await);
    for (expected, name) in [(Some(0), "at-once-exact"), (None, "at-once-unchecked")] {
        for round in 0..40 {
            let name = format!("{name}-{round}");
            let [first, second] = ids();
            let declared = [(name.as_str(), expected)];
            let events = json!([
                event_with_id(&name, 1, first),
                event_with_id(&name, 2, second)
            ]);
            let (a, b) = tokio::join!(
                append(&one, &declared, events.clone()),
                append(&two, &declared, events.clone())
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_ne!(a.repeated, b.repeated);
            assert_eq!(
                (a.positions, a.versions, a.recorded_at),
                (b.positions, b.versions, b.recorded_at)
            );
            assert_eq!(stream(&one, &name).await.len(), 2);
        }
    }
}

/// The second session has to wait until the first has ended, and then finds its events or does not.
#[tokio::test]
async fn a_repeat_waits_for_the_first_and_writes_if_that_rolls_back() {
    let (url, mut one) = database("repeat_waits").await;
    let (two, watcher) = (connect(&url).await, connect(&url).await);
    for commit in [true, false] {
        let name = format!("repeat-waits-{commit}");
        let [id] = ids();
        let events = json!([event_with_id(&name, 1, id)]);
        let declared = [(name.as_str(), Some(0))];
        let transaction = one.transaction().await.unwrap();
        append(&transaction, &declared, events.clone())
            .await
            .unwrap();
        let end = async {
            until_waiting(&watcher, 1).await;
            if commit {
                transaction.commit().await
            } else {
                transaction.rollback().await
            }
            .unwrap();
        };
        let (again, ()) = tokio::join!(append(&two, &declared, events), end);
        assert_eq!(again.unwrap().repeated, commit);
        assert_eq!(stream(&two, &name).await.len(), 1);
    }
}
