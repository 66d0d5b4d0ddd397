//! P7: eventcore recognises a repeated append by its event ids.

mod at_once;
mod others;
mod unchecked;

use serde_json::json;
use uuid::Uuid;

use crate::support::{
    Appended, FORMS, append, append_as, event, event_with_id, failure, session, stream, value,
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
