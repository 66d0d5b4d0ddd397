//! Parked events: listed, handled again, discarded.

use super::{create, database, seen, until, wait, write};
use crate::support::{failure, value};

/// Refuses 12 and 14 until `fixed` contains them.
const PICKY: &str = "
    CREATE TABLE fixed (n int);
    CREATE FUNCTION see_mended(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM see(e);
            IF (e.payload->>'n')::int IN (12, 14) AND NOT EXISTS (SELECT FROM fixed m WHERE m.n = (e.payload->>'n')::int) THEN
                RAISE EXCEPTION 'not %', e.payload->>'n' USING ERRCODE = 'P0012';
            END IF;
        END $$;
    CREATE FUNCTION see_mended_many(events eventcore.events[]) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE e eventcore.events;
        BEGIN
            FOREACH e IN ARRAY events LOOP PERFORM see_mended(e); END LOOP;
        END $$";

const PARKED: &str = "SELECT coalesce(string_agg(concat_ws(' ', payload->>'n', attempts, sqlstate, reason, replay), ', ' ORDER BY position), '')
                        FROM eventcore_projection_parked('p')";

const MORE: &str = ", on_error => 'park', retry_limit => 0";

#[tokio::test]
async fn a_replayed_event_reaches_the_handler_in_a_transaction_of_its_own_and_is_parked_no_more() {
    for handler in ["see_mended", "see_mended_many"] {
        let (_, client) = database(&format!("replay_{handler}")).await;
        client.batch_execute(PICKY).await.unwrap();
        let last = write(&client, "a", 11..=15).await;
        create(&client, "p", handler, MORE).await;
        wait(&client, "p").await.unwrap();
        assert_eq!(seen(&client).await, [11, 13, 15]);
        assert_eq!(
            value::<String>(&client, PARKED).await,
            "12 1 P0012 not 12 f, 14 1 P0012 not 14 f"
        );

        client
            .batch_execute("INSERT INTO fixed VALUES (12), (14)")
            .await
            .unwrap();
        let one = format!(
            "SELECT eventcore_replay_projection_parked('p', '{{{}}}')",
            last - 3
        );
        assert_eq!(value::<i64>(&client, &one).await, 1);
        until(
            &client,
            "SELECT count(*) = 1 FROM eventcore.projection_parked",
        )
        .await;
        assert_eq!(seen(&client).await, [11, 13, 15, 12], "{handler}");
        let all = "SELECT eventcore_replay_projection_parked('p')";
        assert_eq!(value::<i64>(&client, all).await, 1);
        until(
            &client,
            "SELECT count(*) = 0 FROM eventcore.projection_parked",
        )
        .await;
        assert_eq!(seen(&client).await, [11, 13, 15, 12, 14]);
        let transactions = "SELECT count(DISTINCT xid) FROM seen WHERE n IN (12, 14)";
        assert_eq!(value::<i64>(&client, transactions).await, 2);
        let checkpoint = "SELECT checkpoint FROM eventcore.projections";
        assert_eq!(value::<i64>(&client, checkpoint).await, last);
        assert_eq!(value::<i64>(&client, all).await, 0);
    }
}

#[tokio::test]
async fn one_that_fails_again_stays_parked_with_what_it_failed_of_and_keeps_no_other() {
    let (_, client) = database("replay_again").await;
    client.batch_execute(PICKY).await.unwrap();
    write(&client, "a", 11..=15).await;
    create(&client, "p", "see_mended", MORE).await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute(
            "INSERT INTO fixed VALUES (14);
             ALTER TABLE seen ADD CONSTRAINT no_dozen CHECK (n <> 12);
             SELECT eventcore_replay_projection_parked('p')",
        )
        .await
        .unwrap();
    until(
        &client,
        "SELECT bool_and(NOT replay) FROM eventcore.projection_parked",
    )
    .await;
    let parked = value::<String>(&client, PARKED).await;
    assert!(
        parked.starts_with("12 2 23514 ") && parked.contains("no_dozen"),
        "{parked}"
    );
    assert_eq!(seen(&client).await, [11, 13, 15, 14]);
    let last = write(&client, "a", 16..=16).await;
    assert_eq!(wait(&client, "p").await.unwrap(), last);
    let state = "SELECT status || ' ' || attempts FROM eventcore.projections";
    assert_eq!(value::<String>(&client, state).await, "running 0");

    // Without its handler, the parked event stays and reports that.
    client
        .batch_execute("DROP FUNCTION see_mended; SELECT eventcore_replay_projection_parked('p')")
        .await
        .unwrap();
    until(
        &client,
        "SELECT bool_and(NOT replay) FROM eventcore.projection_parked",
    )
    .await;
    let parked = value::<String>(&client, PARKED).await;
    assert!(parked.starts_with("12 3 SE007 "), "{parked}");
}

#[tokio::test]
async fn nothing_is_replayed_while_the_projection_is_paused() {
    let (_, client) = database("replay_paused").await;
    client.batch_execute(PICKY).await.unwrap();
    write(&client, "a", 12..=13).await;
    create(&client, "p", "see_mended", MORE).await;
    client
        .batch_execute(
            "CREATE FUNCTION other(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT'",
        )
        .await
        .unwrap();
    create(&client, "other", "other", "").await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute(
            "INSERT INTO fixed VALUES (12); SELECT eventcore_pause_projection('p');
             SELECT eventcore_replay_projection_parked('p')",
        )
        .await
        .unwrap();
    // The worker has completed a round.
    write(&client, "a", 15..=15).await;
    wait(&client, "other").await.unwrap();
    assert_eq!(
        value::<String>(&client, PARKED).await,
        "12 1 P0012 not 12 t"
    );
    client
        .batch_execute("SELECT eventcore_resume_projection('p')")
        .await
        .unwrap();
    until(
        &client,
        "SELECT count(*) = 0 FROM eventcore.projection_parked",
    )
    .await;
}

#[tokio::test]
async fn parked_events_are_paged_and_given_up() {
    let (_, client) = database("replay_discard").await;
    client.batch_execute(PICKY).await.unwrap();
    let last = write(&client, "a", 11..=15).await;
    create(&client, "p", "see_mended", MORE).await;
    wait(&client, "p").await.unwrap();
    let page = format!(
        "SELECT count(*) || ' ' || min(stream_id) || ' ' || min(version) FROM eventcore_projection_parked('p', {}, 1)",
        last - 3
    );
    assert_eq!(value::<String>(&client, &page).await, "1 a 4");
    let unknown = format!(
        "SELECT eventcore_discard_projection_parked('p', '{{{last}, {}}}')",
        last - 1
    );
    let failed = failure(client.batch_execute(&unknown).await);
    assert_eq!(failed.assert_ours("SE003")["argument"], "positions");
    let one = format!(
        "SELECT eventcore_discard_projection_parked('p', '{{{}}}')",
        last - 1
    );
    assert_eq!(value::<i64>(&client, &one).await, 1);
    assert_eq!(
        value::<String>(&client, PARKED).await,
        "12 1 P0012 not 12 f"
    );
    assert_eq!(
        value::<i64>(
            &client,
            "SELECT eventcore_discard_projection_parked('p', NULL)"
        )
        .await,
        1
    );
    assert_eq!(seen(&client).await, [11, 13, 15]);
}

/// Also the worker removes one parked event at a time, when it has handled it.
#[tokio::test]
async fn changing_one_of_many_parked_events_looks_at_few_rows() {
    const MANY: i64 = 2_000;
    let (_, mut client) = database("replay_many").await;
    create(&client, "p", "see", "").await;
    let sql = format!(
        "SELECT eventcore_pause_projection('p');
         INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason)
         SELECT 'p', n, 1, 'P0001', 'made up' FROM generate_series(1, {MANY}) n"
    );
    client.batch_execute(&sql).await.unwrap();
    let statements = [
        "SELECT eventcore_discard_projection_parked('p', '{1000}')",
        "SELECT eventcore_replay_projection_parked('p', '{1000, 1001}')",
        "SELECT eventcore.projection_replayed('p', 1000)",
    ];
    for vacuum in [false, true] {
        if vacuum {
            client.batch_execute("VACUUM ANALYZE").await.unwrap();
        }
        for statement in statements {
            let transaction = client.transaction().await.unwrap();
            transaction.batch_execute(statement).await.unwrap();
            let read = "SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables
                         WHERE relname = 'projection_parked'";
            let read = value::<i64>(&transaction, read).await;
            assert!(read < 50, "{statement}: {read} rows");
            transaction.rollback().await.unwrap();
        }
    }
    let oldest =
        "SELECT oldest_parked_at = (SELECT min(parked_at) FROM eventcore.projection_parked)
                    FROM eventcore.stat_projections";
    assert!(value::<bool>(&client, oldest).await);
}
