//! An append with no exact version is recognised by its ids, among the last events of its streams.

use serde_json::json;

use super::{assert_repeats, ids};
use crate::support::{append, event, event_with_id, session, stream};

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
