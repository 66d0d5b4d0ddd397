//! A standby without the end of the log is promoted.

use super::*;

/// The standby has events 1 to 100, and its primary goes on to blocks that the standby never
/// receives.
async fn lost_tail() -> (Server, Vec<Seen>) {
    let (mut primary, session) = primary(100).await;
    session
        .batch_execute("SELECT eventcore_create_subscription('inside')")
        .await
        .unwrap();
    assert_eq!(poll(&session, "inside").await.len(), 100);
    let mut standby = primary.standby().unwrap();
    eventually("the standby knows the safe position", async || {
        standby
            .psql("store", "SELECT eventcore_safe_position() >= 100")
            .unwrap()
            == "t"
    })
    .await;
    standby.stop().unwrap();
    append_many(&session, "s", 300).await;
    append_many(&session, "lost", 5800).await;
    assert_eq!(poll(&session, "inside").await.len(), 6100);
    let read = read_all(&*session, 0, 10_000).await.unwrap();
    assert_eq!(read.last().unwrap().position, 6200);
    primary.kill_postmaster_9().unwrap();
    standby.start_again().unwrap();
    standby.promote().unwrap();
    (standby, read)
}

#[tokio::test]
async fn after_a_promotion_no_position_is_given_out_that_a_reader_may_have_passed() {
    let (promoted, read) = lost_tail().await;
    let session = connect(&promoted.url("store")).await;
    for n in 0..15 {
        let first = Append::one("new", Some(n))
            .send(&*session)
            .await
            .unwrap()
            .first;
        assert_eq!(first, Some(SPAN + 1 + n));
    }
    // A reader that was behind reads everything, in order.
    let mut behind = Follower::new("behind");
    behind.take(read[..70].to_vec());
    behind.take(read_all(&*session, 70, 10_000).await.unwrap());
    behind.saw_exactly(&truth(&*session).await);
    // A reader at the end of what both servers had continues.
    let rest = read_all(&*session, 100, 10_000).await.unwrap();
    assert_eq!(rest.len(), 15);
    // A subscription inside the database is in the same log.
    assert_eq!(poll(&session, "inside").await.len(), 15);
    assert_eq!(
        histories(&*session).await,
        [
            ("new".to_owned(), 0, 0, 1),
            ("timeline".to_owned(), 100, 4096, SPAN)
        ]
    );
}

#[tokio::test]
async fn a_reader_of_lost_events_gets_an_error() {
    let (promoted, read) = lost_tail().await;
    let session = connect(&promoted.url("store")).await;
    let told = |after| detail(after, 100, SPAN);
    // At once, before the next append: above everything that this server had reserved.
    let before = diverged(read_all(&*session, 6200, 10).await);
    assert_eq!(
        (&before["after"], &before["agreed"]),
        (&json!(6200), &json!(100))
    );
    eventually("the history has begun", async || {
        histories(&*session).await.len() == 2
    })
    .await;
    for _ in 0..2 {
        for after in [4097, 6200, SPAN - 1] {
            assert_eq!(diverged(read_all(&*session, after, 10).await), told(after));
            assert_eq!(diverged(wait(&*session, after, 30).await), told(after));
            for call in [
                format!("eventcore_create_subscription('new', start_from => '{after}')"),
                format!("eventcore_reset_subscription('inside', {after})"),
                format!("eventcore_advance_checkpoint('outside', 0, {after})"),
            ] {
                let done = session.batch_execute(&format!("SELECT {call}")).await;
                assert_eq!(diverged(done), told(after), "{call}");
            }
        }
        let ahead = diverged(read_all(&*session, 5 * SPAN, 10).await);
        assert_eq!(ahead["after"], json!(5 * SPAN));
        // The position alone proves nothing where this server had reserved it; the last event does.
        assert!(read_all(&*session, 500, 10).await.is_ok());
        let last = read.iter().find(|event| event.position == 500).unwrap();
        assert_eq!(
            diverged(read_after(&*session, 500, last.id).await),
            told(500)
        );
        // A read after an existing event whose position ends a block: this reader lost nothing.
        let last = read.iter().find(|event| event.position == 100).unwrap();
        assert!(read_after(&*session, 4096, last.id).await.is_ok());
        assert!(read_after(&*session, 100, last.id).await.is_ok());
        // And again once the new history has events.
        append_one(&*session, "new").await;
    }
    assert!(read_all(&*session, SPAN, 10).await.is_ok());
}

#[tokio::test]
async fn reserved_positions_that_were_only_rolled_back_count_too() {
    let (mut primary, session) = primary(100).await;
    let mut standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    standby.stop().unwrap();
    for _ in 0..7 {
        session.batch_execute("BEGIN").await.unwrap();
        append_many(&session, "never", 1000).await;
        session.batch_execute("ROLLBACK").await.unwrap();
    }
    let told = safe_position(&*session).await.unwrap();
    assert!(told > 7000);
    primary.kill_postmaster_9().unwrap();
    standby.start_again().unwrap();
    standby.promote().unwrap();
    let promoted = connect(&standby.url("store")).await;
    assert!(append_one(&*promoted, "s").await > told);
    assert_eq!(
        diverged(read_all(&*promoted, told, 10).await)["first"],
        json!(SPAN)
    );
}

#[tokio::test]
async fn an_old_primary_that_was_rewound_goes_on_above_both() {
    let (mut old, session) = primary(100).await;
    let standby = old.standby().unwrap();
    standby.catch_up_with(&old).unwrap();
    old.psql("postgres", "SELECT pg_switch_wal()").unwrap();
    standby.promote().unwrap();
    // Both continue for a while.
    append_many(&session, "lost", 9000).await;
    let new = connect(&standby.url("store")).await;
    append_many(&new, "s", 50).await;
    old.stop().unwrap();
    old.rewind_to(&standby).unwrap();
    old.start_again().unwrap();
    old.catch_up_with(&standby).unwrap();
    let returned = connect(&old.url("store")).await;
    assert_eq!(truth(&*returned).await, truth(&*new).await);
    // A standby reports it too.
    assert_eq!(
        diverged(read_all(&*returned, 9000, 10).await)["first"],
        json!(SPAN)
    );
    let mut standby = standby;
    standby.stop().unwrap();
    old.promote().unwrap();
    let position = append_one(&*returned, "s").await;
    assert_eq!(position, 2 * SPAN + 1);
    let causes: Vec<_> = histories(&*returned)
        .await
        .into_iter()
        .map(|history| history.0)
        .collect();
    assert_eq!(causes, ["new", "timeline", "timeline"]);
}

/// A standby that is behind is not another history.
#[tokio::test]
async fn a_reader_that_is_ahead_of_a_standby_waits_for_it() {
    let (primary, session) = primary(100).await;
    let standby = primary.standby().unwrap();
    standby
        .psql("postgres", "SELECT pg_wal_replay_pause()")
        .unwrap();
    append_many(&session, "s", 3000).await;
    let last = append_one(&*session, "s").await;
    let on_standby = connect(&standby.url("store")).await;
    assert_eq!(read_all(&*on_standby, last, 10).await.unwrap(), []);
    standby
        .psql("postgres", "SELECT pg_wal_replay_resume()")
        .unwrap();
    let waited = in_time("the standby catches up", wait(&*on_standby, last - 1, 30)).await;
    assert!(waited.unwrap() >= last);
}
