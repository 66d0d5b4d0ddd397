//! Events reach a handler in a worker: all matching events, in order, once, and each batch with its
//! checkpoint.

use super::{create, database, seen, server, until, wait, write};
use crate::support::{connect, value};

#[tokio::test]
async fn a_projection_sees_what_was_there_and_what_comes_each_once_and_in_order() {
    for handler in ["see", "see_many"] {
        let (_, client) = database(&format!("projection_{handler}")).await;
        write(&client, "a", 1..=5).await;
        create(&client, "p", handler, ", batch_size => 3").await;
        let last = write(&client, "b", 6..=8).await;
        assert_eq!(wait(&client, "p").await.unwrap(), last, "{handler}");
        assert_eq!(seen(&client).await, [1, 2, 3, 4, 5, 6, 7, 8], "{handler}");
        let largest = "SELECT max(n) FROM (SELECT count(*) AS n FROM seen GROUP BY xid) t";
        assert!(value::<i64>(&client, largest).await <= 3);
    }
}

#[tokio::test]
async fn it_begins_where_it_is_told_and_gets_only_what_it_wants() {
    let (_, client) = database("projection_filter").await;
    let first = write(&client, "a", 1..=4).await;
    write(&client, "b", 5..=8).await;
    let more = format!(
        ", stream_prefixes => '{{a,c}}', event_types => '{{Even}}', start_from => '{}'",
        first - 2
    );
    create(&client, "p", "see", &more).await;
    let last = write(&client, "ca", 9..=12).await;
    assert_eq!(wait(&client, "p").await.unwrap(), last);
    assert_eq!(seen(&client).await, [4, 10, 12]);
    client.batch_execute("TRUNCATE seen").await.unwrap();
    create(&client, "now", "see", ", start_from => 'now'").await;
    write(&client, "x", 13..=13).await;
    wait(&client, "now").await.unwrap();
    assert_eq!(seen(&client).await, [13]);
}

#[tokio::test]
async fn a_wait_is_over_in_time_and_not_allowed_in_a_transaction_block() {
    let (_, client) = database("projection_wait").await;
    create(&client, "p", "see", "").await;
    client
        .batch_execute("SELECT eventcore_pause_projection('p')")
        .await
        .unwrap();
    let last = write(&client, "a", 1..=1).await;
    let sql = format!("CALL eventcore_wait_for_projection('p', {last}, '100 ms')");
    assert_eq!(
        client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0),
        0
    );
    client.batch_execute("BEGIN").await.unwrap();
    let failed = crate::support::failure(client.batch_execute(&sql).await);
    assert_eq!(failed.assert_ours("SE009")["reason"], "transaction_block");
}

/// Several of one owner, more than there are workers.
#[tokio::test]
async fn more_projections_than_workers_all_come_to_the_end() {
    let (_, client) = database("projection_many").await;
    for n in 0..5 {
        client
            .batch_execute(&format!(
                "CREATE TABLE seen{n} (LIKE seen INCLUDING ALL);
                 CREATE FUNCTION see{n}(e eventcore.events) RETURNS void LANGUAGE sql AS $$
                     INSERT INTO seen{n} (position, n) VALUES (e.position, (e.payload->>'n')::int) $$"
            ))
            .await
            .unwrap();
        create(&client, &format!("p{n}"), &format!("see{n}"), "").await;
    }
    write(&client, "a", 1..=50).await;
    for n in 0..5 {
        wait(&client, &format!("p{n}")).await.unwrap();
        let count = format!("SELECT count(*) FROM seen{n}");
        assert_eq!(value::<i64>(&client, &count).await, 50);
    }
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                      AND backend_type = 'eventcore projection worker'";
    assert!(value::<i64>(&client, workers).await <= 2);
}

#[tokio::test]
async fn the_statistics_say_how_far_it_is_and_who_has_it() {
    let (url, client) = database("projection_stat").await;
    client
        .batch_execute(
            "CREATE FUNCTION slow(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN PERFORM pg_sleep(0.2); PERFORM see(e); END $$",
        )
        .await
        .unwrap();
    write(&client, "a", 1..=5).await;
    create(&client, "p", "slow", ", batch_size => 1").await;
    let watcher = connect(&url).await;
    let start = std::time::Instant::now();
    loop {
        let row = watcher
            .query_one(
                "SELECT worker_pid, lag_events, lag_seconds, checkpoint + lag_events = safe_position
                   FROM eventcore.stat_projections",
                &[],
            )
            .await
            .unwrap();
        if row.get::<_, Option<i32>>(0).is_some() {
            assert!(row.get::<_, i64>(1) > 0 && row.get::<_, f64>(2) > 0.0);
            assert!(row.get::<_, bool>(3));
            break;
        }
        assert!(start.elapsed().as_secs() < 20);
    }
    wait(&client, "p").await.unwrap();
    let lag = "SELECT lag_events FROM eventcore.stat_projections";
    assert_eq!(value::<i64>(&client, lag).await, 0);
}

const HANG: &str =
    "CREATE FUNCTION hang(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(1000)'";

/// This many handlers hang now.
fn hanging(count: usize) -> String {
    format!(
        "SELECT count(*) = {count} FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
}

#[tokio::test]
async fn an_owner_whose_handlers_hang_leaves_a_worker_to_others() {
    let (url, client) = database("projection_hang").await;
    client.batch_execute(HANG).await.unwrap();
    for role in ["run_eve", "run_bob"] {
        let sql = format!(
            "CREATE ROLE {role} LOGIN IN ROLE eventcore_projector;
             GRANT INSERT ON seen TO {role}; GRANT USAGE ON SEQUENCE seen_seq_seq TO {role}"
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let as_role = async |role: &str| {
        let session = connect(&url).await;
        let sql = format!("SET SESSION AUTHORIZATION {role}");
        session.batch_execute(&sql).await.unwrap();
        session
    };
    write(&client, "a", 1..=1).await;
    let (eve, bob) = (as_role("run_eve").await, as_role("run_bob").await);
    create(&eve, "one", "hang", "").await;
    create(&eve, "two", "hang", "").await;
    until(&client, &hanging(2)).await;
    create(&bob, "bobs", "see", "").await;
    until(&client, "SELECT count(*) = 1 FROM seen").await;
}

#[tokio::test]
async fn a_database_is_copied_while_a_handler_hangs() {
    let (_, client) = database("projection_copied").await;
    client.batch_execute(HANG).await.unwrap();
    write(&client, "a", 1..=1).await;
    create(&client, "p", "hang", "").await;
    until(&client, &hanging(1)).await;
    drop(client);
    let copy = "CREATE DATABASE projection_copy TEMPLATE projection_copied";
    // In a separate session, so that this one can end.
    let copying = tokio::task::spawn_blocking(move || server().psql("postgres", copy));
    copying.await.unwrap().unwrap();
}
