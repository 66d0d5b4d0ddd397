//! `eventcore.stat_subscriptions`: what an operator sees.

use super::{ack, create, lease, nack, poll, write};
use crate::support::{Client, database};

/// The numbers of the only subscription.
async fn numbers(client: &Client) -> [i64; 9] {
    let row = client
        .query_one("SELECT * FROM eventcore.stat_subscriptions", &[])
        .await
        .unwrap();
    [
        "checkpoint",
        "safe_position",
        "lag_events",
        "waiting",
        "leased",
        "leases",
        "consumers",
        "retrying",
        "parked",
    ]
    .map(|column| row.get(column))
}

#[tokio::test]
async fn the_view_tells_how_far_a_subscription_is_and_what_keeps_it() {
    let (_, client) = database("sub_stat").await;
    create(&client, "s", "").await;
    assert_eq!(numbers(&client).await, [0; 9]);
    let w = write(&client, &["a", "b", "a", "c"]).await;
    let last = w[3];
    assert_eq!(numbers(&client).await, [0, last, last, 0, 0, 0, 0, 0, 0]);
    let first = poll(&client, "s", "one", 1).await;
    let second = poll(&client, "s", "two", 1).await;
    poll(&client, "s", "two", 1).await;
    assert_eq!(
        numbers(&client).await,
        [w[0] - 1, last, last - w[0] + 1, 1, 3, 3, 2, 0, 0]
    );
    ack(&client, "s", lease(&first), None).await.unwrap();
    nack(&client, "s", lease(&second), &w[1..2], "retry", "1 min")
        .await
        .unwrap();
    assert_eq!(
        numbers(&client).await,
        [w[1] - 1, last, last - w[1] + 1, 2, 1, 1, 1, 1, 0]
    );
    let third = poll(&client, "s", "one", 1).await;
    nack(&client, "s", lease(&third), &w[2..3], "park", "0")
        .await
        .unwrap();
    assert_eq!(
        numbers(&client).await,
        [w[1] - 1, last, last - w[1] + 1, 1, 1, 1, 1, 1, 1]
    );
    let row = client
        .query_one(
            "SELECT lag_seconds, last_error, paused FROM eventcore.stat_subscriptions",
            &[],
        )
        .await
        .unwrap();
    assert!((0.0..60.0).contains(&row.get::<_, f64>(0)));
    assert_eq!(row.get::<_, String>(1), "it went wrong");
    assert!(!row.get::<_, bool>(2));
}

#[tokio::test]
async fn a_subscription_that_has_done_all_has_no_lag_though_most_was_not_of_interest() {
    let (_, client) = database("sub_stat_filter").await;
    create(&client, "s", ", stream_prefixes => '{x}'").await;
    let w = write(&client, &["a", "x", "b"]).await;
    super::drain(&client, "s").await;
    let numbers = numbers(&client).await;
    assert_eq!(numbers[..3], [w[2], w[2], 0]);
}
