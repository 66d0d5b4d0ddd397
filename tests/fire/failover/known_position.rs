//! Callers that keep states in their memory, and append at their versions without reading again.

use super::*;

/// The stream has this many events.
async fn version(session: &Session) -> i64 {
    number(
        &**session,
        "SELECT count(*) FROM eventcore.events WHERE stream_id = 's'",
    )
    .await
}

/// Checks the stream, or writes to it, at a version that rests on the append with this position.
async fn rests_on(
    session: &Session,
    version: i64,
    position: i64,
    events: usize,
) -> Result<(), Error> {
    let (streams, payloads) = (vec!["s"; events], vec!["1"; events]);
    let sql = "SELECT eventcore_append_compact('{s}', ARRAY[$1::bigint], $2, $2, $3, known_position => $4)";
    session
        .query_one(sql, &[&version, &streams, &payloads, &position])
        .await
        .map(drop)
}

/// The stream is at the version that the caller knows, on both servers. Its last five events are not
/// those that the caller has seen.
#[tokio::test]
async fn the_same_version_after_a_promotion_is_not_taken_for_the_same_events() {
    let (mut primary, session) = primary(5).await;
    let mut standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    standby.stop().unwrap();
    let known = append_many(&session, "s", 5).await.last.unwrap();
    rests_on(&session, 10, known, 0).await.unwrap();
    primary.kill_postmaster_9().unwrap();
    standby.start_again().unwrap();
    standby.promote().unwrap();

    let promoted = connect(&standby.url("store")).await;
    // Before anybody has appended here, too.
    for events in [0, 1] {
        let error = diverged(rests_on(&promoted, 5, known, events).await);
        assert_eq!(error["after"], json!(known));
        assert_eq!(error["first"], json!(SPAN));
    }
    append_many(&promoted, "s", 5).await;
    assert_eq!(version(&promoted).await, 10);
    for events in [0, 1] {
        diverged(rests_on(&promoted, 10, known, events).await);
        // The version is wrong as well: the history is what the caller has to know first.
        diverged(rests_on(&promoted, 9, known, events).await);
    }
    assert_eq!(version(&promoted).await, 10);
    // What rests on an append of this history is as good as before.
    let known = append_one(&*promoted, "s").await;
    rests_on(&promoted, 11, known, 1).await.unwrap();
    let conflict = rests_on(&promoted, 11, known, 1).await.unwrap_err();
    assert_eq!(sqlstate(&conflict), "SE001", "{conflict:?}");
}

/// An append whose answer was lost is sent again to the server that took over.
#[tokio::test]
async fn an_append_that_was_written_before_the_promotion_is_recognised_after_it() {
    let (mut primary, session) = primary(5).await;
    let standby = primary.standby().unwrap();
    let append = "SELECT eventcore_append_compact('{s}', '{5}', '{s}', '{T}', '{1}', NULL,
                                                  '{0190b0f0-0000-7000-8000-0000000000d1}', known_position => 5)";
    session.batch_execute(append).await.unwrap();
    standby.catch_up_with(&primary).unwrap();
    primary.kill_postmaster_9().unwrap();
    standby.promote().unwrap();
    let promoted = connect(&standby.url("store")).await;
    append_one(&*promoted, "other").await;
    let sent_again: Vec<i64> = promoted.query_one(append, &[]).await.unwrap().get(0);
    assert_eq!(sent_again[3], 1, "{sent_again:?}");
}
