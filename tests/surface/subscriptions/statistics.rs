//! `eventcore.stat_subscriptions`: what an operator sees.

use super::{ack, create, lease, nack, poll, positions, write};
use crate::support::{Client, database, value};

/// The numbers of the only subscription.
async fn numbers(client: &Client) -> [i64; 10] {
    let row = client
        .query_one("SELECT * FROM eventcore.stat_subscriptions", &[])
        .await
        .unwrap();
    let columns = [
        "checkpoint",
        "safe_position",
        "lag_events",
        "leased",
        "leases",
        "consumers",
        "waiting",
        "retrying",
        "streams_behind",
        "parked",
    ];
    columns.map(|column| row.get(column))
}

#[tokio::test]
async fn the_view_tells_how_far_a_subscription_is_and_what_keeps_it() {
    let (_, client) = database("sub_stat").await;
    create(&client, "s", "").await;
    assert_eq!(numbers(&client).await, [0; 10]);
    let w = write(&client, &["a", "b", "a", "c"]).await;
    let last = w[3];
    let lag = |done: i64| [done, last, last - done];
    let with = |done: i64, rest: [i64; 7]| {
        let mut all = [0; 10];
        all[..3].copy_from_slice(&lag(done));
        all[3..].copy_from_slice(&rest);
        all
    };
    assert_eq!(numbers(&client).await, with(0, [0; 7]));
    let first = poll(&client, "s", "one", 1).await;
    let second = poll(&client, "s", "two", 1).await;
    poll(&client, "s", "two", 1).await;
    // The second event of a is behind the first, which is leased.
    assert_eq!(
        numbers(&client).await,
        with(w[0] - 1, [3, 3, 2, 0, 0, 1, 0])
    );
    ack(&client, "s", lease(&first), None).await.unwrap();
    nack(&client, "s", lease(&second), &w[1..2], "retry", "1 min")
        .await
        .unwrap();
    assert_eq!(
        numbers(&client).await,
        with(w[1] - 1, [1, 1, 1, 1, 1, 1, 0])
    );
    let third = poll(&client, "s", "one", 1).await;
    nack(&client, "s", lease(&third), &w[2..3], "park", "0")
        .await
        .unwrap();
    assert_eq!(
        numbers(&client).await,
        with(w[1] - 1, [1, 1, 1, 1, 1, 0, 1])
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
async fn a_subscription_that_has_handled_all_matching_events_has_no_lag() {
    let (_, client) = database("sub_stat_filter").await;
    create(&client, "s", ", stream_prefixes => '{x}'").await;
    let w = write(&client, &["a", "x", "b"]).await;
    super::drain(&client, "s").await;
    let numbers = numbers(&client).await;
    assert_eq!(numbers[..3], [w[2], w[2], 0]);
}

#[tokio::test]
async fn the_view_tells_since_when_an_event_is_parked_and_a_lease_has_expired() {
    let (_, client) = database("sub_stat_oldest").await;
    create(&client, "s", ", lease => '1 ms'").await;
    let oldest = "SELECT coalesce(oldest_parked_at::text, 'none') || ' ' || expired_leases || ' '
                      || coalesce(oldest_expired_at::text, 'none') FROM eventcore.stat_subscriptions";
    assert_eq!(value::<String>(&client, oldest).await, "none 0 none");
    for stream in ["a", "b"] {
        write(&client, &[stream]).await;
        let parked = poll(&client, "s", "c", 1).await;
        nack(
            &client,
            "s",
            lease(&parked),
            &positions(&parked),
            "park",
            "0",
        )
        .await
        .unwrap();
    }
    write(&client, &["c"]).await;
    poll(&client, "s", "c", 1).await;
    while value::<i64>(
        &client,
        "SELECT expired_leases FROM eventcore.stat_subscriptions",
    )
    .await
        == 0
    {}
    let expected =
        "SELECT min(parked_at) || ' 1 ' || (SELECT max(leased_until) FROM eventcore.leases)
                      FROM eventcore.parked";
    assert_eq!(
        value::<String>(&client, oldest).await,
        value::<String>(&client, expected).await
    );
}
