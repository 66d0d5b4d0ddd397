//! Recovery to a point in time, and crashes while a history begins.

use super::*;

#[tokio::test]
async fn a_server_that_was_recovered_to_an_earlier_time_tells_readers_and_goes_on_above_them() {
    let (mut primary, session) = primary(100).await;
    let mut backup = primary.backup().unwrap();
    append_many(&session, "s", 50).await;
    eventually(
        "the notifier has written down the safe position",
        async || {
            number(
                &*session,
                "SELECT last_value FROM eventcore.settled_position",
            )
            .await
                >= 150
        },
    )
    .await;
    session
        .batch_execute("SELECT pg_create_restore_point('here')")
        .await
        .unwrap();
    append_many(&session, "late", 9000).await;
    let outside = safe_position(&*session).await.unwrap();
    backup
        .configure(&[
            ("recovery_target_name", "here"),
            ("recovery_target_action", "promote"),
        ])
        .unwrap();
    backup.start_again().unwrap();
    eventually("it has recovered", async || {
        backup
            .psql("postgres", "SELECT pg_is_in_recovery()")
            .unwrap()
            == "f"
    })
    .await;
    primary.stop().unwrap();
    let recovered = connect(&backup.url("store")).await;
    assert_eq!(truth(&*recovered).await.len(), 150);
    assert_eq!(
        diverged(read_all(&*recovered, outside, 10).await)["agreed"],
        json!(150)
    );
    assert_eq!(append_one(&*recovered, "s").await, SPAN + 1);
    assert_eq!(
        diverged(read_all(&*recovered, outside, 10).await),
        detail(outside, 150, SPAN)
    );
    assert_eq!(read_all(&*recovered, 150, 10).await.unwrap().len(), 1);
}

/// Whatever part of it reached the disk, the next start continues above everything.
#[tokio::test]
async fn a_history_that_began_in_a_transaction_that_was_rolled_back_or_lost_has_begun() {
    let (mut primary, _session) = primary(100).await;
    let mut standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    primary.kill_postmaster_9().unwrap();
    standby.promote().unwrap();
    let mut last = 0;
    for round in 0..3 {
        let session = reconnect(&standby.url("store"), "round").await;
        session.batch_execute("BEGIN").await.unwrap();
        let drawn = append_one(&*session, "never").await;
        assert!(drawn > last && drawn > SPAN, "{drawn} in round {round}");
        if round == 0 {
            session.batch_execute("ROLLBACK").await.unwrap();
        }
        last = drawn;
        standby.crash().unwrap();
        standby.start_again().unwrap();
    }
    let session = reconnect(&standby.url("store"), "after").await;
    assert!(append_one(&*session, "s").await > last);
    assert_eq!(
        histories(&*session).await,
        [
            ("new".to_owned(), 0, 0, 1),
            ("timeline".to_owned(), 100, 4096, SPAN)
        ]
    );
}

#[tokio::test]
async fn appends_that_are_the_first_together_begin_one_history() {
    let (mut primary, _session) = primary(100).await;
    let standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    primary.kill_postmaster_9().unwrap();
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(connect(&standby.url("store")).await);
    }
    standby.promote().unwrap();
    let appends = sessions.iter().enumerate().map(async |(number, session)| {
        if number % 2 == 0 {
            session
                .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class")
                .await
                .unwrap();
        }
        let position = append_one(&**session, &format!("s{number}")).await;
        session.batch_execute("COMMIT").await.unwrap();
        position
    });
    let mut positions = futures_util::future::join_all(appends).await;
    positions.sort_unstable();
    assert_eq!(positions, (1..=8).map(|n| SPAN + n).collect::<Vec<_>>());
    assert_eq!(histories(&*sessions[0]).await.len(), 2);
}
