//! Pausing, resuming, rebuilding and dropping projections.

use super::{create, database, seen, wait, write};
use crate::support::value;

#[tokio::test]
async fn a_paused_projection_stands_still_until_it_is_resumed() {
    let (_, client) = database("projection_pause").await;
    create(&client, "p", "see", "").await;
    write(&client, "a", 1..=2).await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute("SELECT eventcore_pause_projection('p')")
        .await
        .unwrap();
    let last = write(&client, "a", 3..=4).await;
    let short = format!("CALL eventcore_wait_for_projection('p', {last}, '300 ms')");
    let reached: i64 = client.query_one(&short, &[]).await.unwrap().get(0);
    assert_eq!(reached, last - 2);
    assert_eq!(seen(&client).await, [1, 2]);
    client
        .batch_execute("SELECT eventcore_resume_projection('p')")
        .await
        .unwrap();
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_rebuild_empties_the_tables_and_starts_again_in_one_transaction() {
    let (_, client) = database("projection_rebuild").await;
    client
        .batch_execute(
            "CREATE TABLE resets (n int);
             CREATE FUNCTION note_reset() RETURNS void LANGUAGE sql AS 'INSERT INTO resets VALUES (1)'",
        )
        .await
        .unwrap();
    create(
        &client,
        "p",
        "see",
        ", tables => '{seen}', reset => 'note_reset', batch_size => 2",
    )
    .await;
    write(&client, "a", 1..=5).await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute("UPDATE seen SET n = -n; SELECT eventcore_rebuild_projection('p')")
        .await
        .unwrap();
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2, 3, 4, 5]);
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM resets").await,
        1
    );
}

/// A rebuild is a way out for a stopped projection.
#[tokio::test]
async fn a_failed_projection_runs_again_when_it_is_rebuilt() {
    let (_, client) = database("projection_rebuild_failed").await;
    write(&client, "a", 12..=14).await;
    create(
        &client,
        "p",
        "see_but_13",
        ", tables => '{seen}', retry_limit => 0",
    )
    .await;
    wait(&client, "p").await.unwrap_err();
    client
        .batch_execute(
            "CREATE OR REPLACE FUNCTION see_but_13(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT see(e)';
             SELECT eventcore_rebuild_projection('p')",
        )
        .await
        .unwrap();
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [12, 13, 14]);
}

#[tokio::test]
async fn a_dropped_projection_is_gone_and_its_name_free() {
    let (_, client) = database("projection_drop").await;
    create(&client, "p", "see", "").await;
    write(&client, "a", 1..=2).await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute("SELECT eventcore_drop_projection('p')")
        .await
        .unwrap();
    assert_eq!(
        wait(&client, "p").await.unwrap_err().assert_ours("SE007")["projection"],
        "p"
    );
    write(&client, "a", 3..=3).await;
    create(&client, "p", "see", ", start_from => 'now'").await;
    write(&client, "a", 4..=4).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2, 4]);
}

/// Its worker does not keep the database from sessions that need it.
#[tokio::test]
async fn a_database_with_projections_can_be_renamed_and_dropped() {
    let (url, client) = database("projection_away").await;
    create(&client, "p", "see", "").await;
    write(&client, "a", 1..=2).await;
    wait(&client, "p").await.unwrap();
    drop(client);
    let admin = crate::support::connect(&super::server().url("postgres")).await;
    admin
        .batch_execute("ALTER DATABASE projection_away RENAME TO projection_gone_away")
        .await
        .unwrap();
    admin
        .batch_execute("DROP DATABASE projection_gone_away")
        .await
        .unwrap();
    assert!(url.contains("projection_away"));
}
