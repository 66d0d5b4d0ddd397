//! A handler that fails: the event is found and retried, and then `on_error` decides.

use super::{create, database, seen, wait, write};
use crate::support::value;

#[tokio::test]
async fn with_stop_it_stands_still_before_the_event_until_it_is_resumed() {
    let (_, client) = database("projection_stop").await;
    let last = write(&client, "a", 10..=15).await;
    create(&client, "p", "see_but_13", ", retry_limit => 2").await;
    let failed = wait(&client, "p").await.unwrap_err();
    assert_eq!(failed.assert_ours("SE009")["reason"], "projection_failed");
    assert!(failed.message.contains("unlucky"), "{failed:?}");
    assert_eq!(seen(&client).await, [10, 11, 12]);
    let row = client
        .query_one(
            "SELECT status, checkpoint, attempts, last_error, last_sqlstate, last_error_position
               FROM eventcore.stat_projections",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "failed");
    assert_eq!(row.get::<_, i64>(1), last - 3);
    assert_eq!(row.get::<_, i32>(2), 3);
    assert_eq!(row.get::<_, &str>(3), "unlucky (thirteen)");
    assert_eq!(row.get::<_, &str>(4), "P0013");
    assert_eq!(row.get::<_, i64>(5), last - 2);
    client
        .batch_execute(
            "CREATE OR REPLACE FUNCTION see_but_13(e eventcore.events) RETURNS void LANGUAGE sql AS $$ SELECT see(e) $$;
             SELECT eventcore_resume_projection('p')",
        )
        .await
        .unwrap();
    assert_eq!(wait(&client, "p").await.unwrap(), last);
    assert_eq!(seen(&client).await, [10, 11, 12, 13, 14, 15]);
}

#[tokio::test]
async fn with_skip_or_park_it_goes_on_without_the_event() {
    for on_error in ["skip", "park"] {
        let (_, client) = database(&format!("projection_{on_error}")).await;
        let last = write(&client, "a", 10..=15).await;
        let more = format!(", retry_limit => 1, on_error => '{on_error}'");
        create(&client, "p", "see_but_13", &more).await;
        assert_eq!(wait(&client, "p").await.unwrap(), last);
        assert_eq!(seen(&client).await, [10, 11, 12, 14, 15]);
        let counts = "SELECT skipped::text || ' ' || parked FROM eventcore.stat_projections";
        let expected = if on_error == "skip" { "1 0" } else { "0 1" };
        assert_eq!(value::<String>(&client, counts).await, expected);
        if on_error == "park" {
            let parked = "SELECT position || ' ' || attempts || ' ' || sqlstate || ' ' || reason
                            FROM eventcore.projection_parked WHERE projection = 'p'";
            let expected = format!("{} 2 P0013 unlucky (thirteen)", last - 2);
            assert_eq!(value::<String>(&client, parked).await, expected);
        }
    }
}

#[tokio::test]
async fn a_batch_that_fails_is_taken_event_by_event() {
    let (_, client) = database("projection_blame").await;
    client
        .batch_execute(
            "CREATE FUNCTION many_but_13(events eventcore.events[]) RETURNS void LANGUAGE plpgsql AS $$
             DECLARE e eventcore.events;
             BEGIN
                 FOREACH e IN ARRAY events LOOP PERFORM see_but_13(e); END LOOP;
             END $$",
        )
        .await
        .unwrap();
    let last = write(&client, "a", 10..=15).await;
    let more = ", retry_limit => 0, on_error => 'park'";
    create(&client, "p", "many_but_13", more).await;
    assert_eq!(wait(&client, "p").await.unwrap(), last);
    assert_eq!(seen(&client).await, [10, 11, 12, 14, 15]);
}

#[tokio::test]
async fn a_statement_timeout_of_the_role_ends_a_handler_that_does_not_end() {
    let (_, client) = database("projection_timeout").await;
    client
        .batch_execute(
            "CREATE ROLE impatient LOGIN IN ROLE eventcore_projector;
             ALTER ROLE impatient SET statement_timeout = '100 ms';
             GRANT CREATE ON SCHEMA public TO impatient;
             SET ROLE impatient;
             CREATE FUNCTION for_ever(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN LOOP NULL; END LOOP; END $$;
             SELECT eventcore_create_projection('p', 'for_ever', retry_limit => 1);
             RESET ROLE",
        )
        .await
        .unwrap();
    write(&client, "a", 1..=2).await;
    let failed = wait(&client, "p").await.unwrap_err();
    assert!(failed.message.contains("statement timeout"), "{failed:?}");
    let code = "SELECT last_sqlstate FROM eventcore.stat_projections";
    assert_eq!(value::<String>(&client, code).await, "57014");
}

#[tokio::test]
async fn a_handler_that_is_gone_stops_the_projection_and_no_event_is_skipped_for_it() {
    let (_, client) = database("projection_gone").await;
    create(
        &client,
        "p",
        "see",
        ", retry_limit => 0, on_error => 'skip'",
    )
    .await;
    write(&client, "a", 1..=1).await;
    wait(&client, "p").await.unwrap();
    client.batch_execute("DROP FUNCTION see").await.unwrap();
    write(&client, "a", 2..=3).await;
    let failed = wait(&client, "p").await.unwrap_err();
    assert!(failed.message.contains("is missing"), "{failed:?}");
    let counts = "SELECT status || ' ' || skipped FROM eventcore.stat_projections";
    assert_eq!(value::<String>(&client, counts).await, "failed 0");
}

/// A failure at the commit is also a failure of the batch.
#[tokio::test]
async fn a_deferred_constraint_fails_the_batch_and_its_checkpoint() {
    let (_, client) = database("projection_deferred").await;
    client
        .batch_execute(
            "ALTER TABLE seen ADD CONSTRAINT no_twins UNIQUE (n) DEFERRABLE INITIALLY DEFERRED",
        )
        .await
        .unwrap();
    write(&client, "a", 1..=3).await;
    write(&client, "a", 2..=2).await;
    create(&client, "p", "see", ", retry_limit => 0").await;
    let failed = wait(&client, "p").await.unwrap_err();
    assert!(failed.message.contains("no_twins"), "{failed:?}");
    assert_eq!(seen(&client).await, [1, 2, 3]);
}

/// Disks fill up and locks run out: no event is to blame, whatever `on_error` says.
#[tokio::test]
async fn what_no_event_is_to_blame_for_is_tried_again_and_skips_none() {
    let (_, client) = database("projection_blameless").await;
    client
        .batch_execute(
            "CREATE SEQUENCE calls;
             CREATE FUNCTION see_later(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                 CASE nextval('calls')
                     WHEN 1 THEN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full';
                     WHEN 2 THEN RAISE EXCEPTION 'locked' USING ERRCODE = 'lock_not_available';
                     WHEN 3 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = 'deadlock_detected';
                     ELSE PERFORM see(e);
                 END CASE;
             END $$",
        )
        .await
        .unwrap();
    let last = write(&client, "a", 1..=2).await;
    let more = ", retry_limit => 0, on_error => 'skip'";
    create(&client, "p", "see_later", more).await;
    assert_eq!(wait(&client, "p").await.unwrap(), last);
    assert_eq!(seen(&client).await, [1, 2]);
    let row = "SELECT skipped || ' ' || attempts || ' ' || interruptions || ' ' || last_error FROM eventcore.projections";
    assert_eq!(value::<String>(&client, row).await, "0 0 0 deadlock");
}
