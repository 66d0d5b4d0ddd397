//! A lag is a number of events. The positions between two histories, about four billion, do not
//! count.

use super::*;

/// What each view reports as left to do, and how far readers are.
const LAGS: &str = "
    SELECT (SELECT lag_events FROM eventcore.stat_subscriptions),
           (SELECT lag_events FROM eventcore.stat_projections),
           (SELECT count(*) FROM eventcore.events)";

async fn lags(session: &Session) -> (i64, i64, i64) {
    let row = session.query_typed_one(LAGS, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test]
async fn lags_do_not_count_the_positions_between_histories() {
    let (mut primary, session) = primary(100).await;
    session
        .batch_execute(
            "CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
             SELECT eventcore_create_subscription('inside');
             SELECT eventcore_create_projection('p', 'see');
             SELECT eventcore_pause_projection('p')",
        )
        .await
        .unwrap();
    // Three fail-overs, and 50 events in each history.
    for history in 1..=3 {
        let standby = primary.standby().unwrap();
        standby.catch_up_with(&primary).unwrap();
        primary.kill_postmaster_9().unwrap();
        standby.promote().unwrap();
        primary = standby;
        let session = connect(&primary.url("store")).await;
        let done = append_many(&session, "s", 50).await;
        assert_eq!(done.first, Some(history * SPAN + 1));
        let (subscription, projection, events) = lags(&session).await;
        assert_eq!(events, 100 + 50 * history);
        // At most this many events: reserved positions that were not used count.
        for lag in [subscription, projection] {
            assert!(
                (events..events + 15_000).contains(&lag),
                "{lag} of {events}"
            );
        }
    }
    let session = connect(&primary.url("store")).await;
    // In the middle of an old history, in a gap, and at the end.
    assert_eq!(poll(&session, "inside").await.len(), 250);
    assert_eq!(lags(&session).await.0, 0);
    session
        .batch_execute("SELECT eventcore_reset_subscription('inside', 60)")
        .await
        .unwrap();
    let lag = lags(&session).await.0;
    assert!((190..190 + 15_000).contains(&lag), "{lag}");
    for sql in [
        "SELECT eventcore_resume_projection('p')",
        "CALL eventcore_wait_for_projection('p', timeout => '20 s')",
    ] {
        session.batch_execute(sql).await.unwrap();
    }
    assert_eq!(lags(&session).await.1, 0);
}
