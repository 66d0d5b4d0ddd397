//! Events that are not for a projection: it passes over them without a checkpoint for each, and
//! a session that waits for it does not notice.

use std::time::{Duration, Instant};

use super::{create, database, seen, until, wait, write};
use crate::support::value;

/// Counts how often a checkpoint is written.
const COUNTED: &str = "
    CREATE TABLE written (position bigint);
    CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.written VALUES (new.checkpoint); RETURN NULL; END $$;
    CREATE TRIGGER counted AFTER UPDATE ON eventcore.projections
        FOR EACH ROW WHEN (old.checkpoint <> new.checkpoint) EXECUTE FUNCTION count_it()";

const NEVER: &str = ", event_types => '{Never}'";

#[tokio::test]
async fn a_projection_that_matches_nothing_writes_its_checkpoint_once_a_second() {
    let (_, client) = database("passed_over_count").await;
    client.batch_execute(COUNTED).await.unwrap();
    create(&client, "p", "see", NEVER).await;
    let begun = Instant::now();
    let mut last = 0;
    for _ in 0..300 {
        last = write(&client, "a", 1..=1).await;
        let read = format!("CALL eventcore_wait({})", last - 1);
        client.batch_execute(&read).await.unwrap();
    }
    // Without another event.
    let done = format!("SELECT checkpoint >= {last} FROM eventcore.projections");
    until(&client, &done).await;
    let most = begun.elapsed().as_secs() + 2;
    let written: i64 = value(&client, "SELECT count(*) FROM written").await;
    assert!(
        u64::try_from(written).unwrap() <= most,
        "{written} times, in {:?}",
        begun.elapsed()
    );
    let shown = "SELECT lag_events FROM eventcore.stat_projections";
    assert_eq!(value::<i64>(&client, shown).await, 0);
}

#[tokio::test]
async fn who_waits_for_it_does_not_wait_for_the_second_to_pass() {
    let (_, client) = database("passed_over_wait").await;
    create(&client, "other", "see_many", NEVER).await;
    create(&client, "p", "see", NEVER).await;
    let begun = Instant::now();
    for _ in 0..30 {
        let last = write(&client, "a", 1..=1).await;
        assert_eq!(wait(&client, "p").await.unwrap(), last);
    }
    // A second for each would be half a minute.
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

/// The worker does not take it for the first one, whose events it has passed over.
#[tokio::test]
async fn another_projection_of_the_same_name_gets_the_events_that_the_first_did_not_want() {
    let (_, client) = database("passed_over_again").await;
    // So its worker stays.
    create(&client, "keeper", "see_many", NEVER).await;
    for round in 1..=10 {
        create(&client, "p", "see", NEVER).await;
        let last = write(&client, "a", 2..=2).await;
        let read = format!("CALL eventcore_wait({})", last - 1);
        client.batch_execute(&read).await.unwrap();
        client
            .batch_execute("SELECT eventcore_drop_projection('p'); TRUNCATE seen")
            .await
            .unwrap();
        create(&client, "p", "see", ", event_types => '{Even}'").await;
        wait(&client, "p").await.unwrap();
        assert_eq!(seen(&client).await.len(), round);
        client
            .batch_execute("SELECT eventcore_drop_projection('p'); TRUNCATE seen")
            .await
            .unwrap();
    }
}
