//! Projections inside the server, in another history.

use super::*;

const SETUP: &str = "
    CREATE TABLE seen (position bigint PRIMARY KEY);
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.seen VALUES (e.position)';
    CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'DELETE FROM public.seen';
    SELECT eventcore_create_projection('p', 'see', reset => 'forget', on_error => 'skip')";

const DONE: &str = "CALL eventcore_wait_for_projection('p', timeout => '20 s')";

/// The table has exactly the events of the server.
const WRONG: &str = "SELECT count(*) FROM seen s FULL JOIN eventcore.events e USING (position)
                      WHERE s.position IS NULL OR e.position IS NULL";

/// Its checkpoint and its table are in the same log as the events.
#[tokio::test]
async fn a_projection_inside_the_server_goes_back_with_the_events_and_goes_on() {
    let (mut primary, session) = primary(100).await;
    session.batch_execute(SETUP).await.unwrap();
    session.batch_execute(DONE).await.unwrap();
    let mut standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    standby.stop().unwrap();
    append_many(&session, "lost", 50).await;
    session.batch_execute(DONE).await.unwrap();
    primary.kill_postmaster_9().unwrap();
    standby.start_again().unwrap();
    standby.promote().unwrap();
    let promoted = connect(&standby.url("store")).await;
    append_many(&promoted, "s", 20).await;
    promoted.batch_execute(DONE).await.unwrap();
    assert_eq!(number(&*promoted, WRONG).await, 0);
    assert_eq!(number(&*promoted, "SELECT count(*) FROM seen").await, 120);
}

/// Its checkpoint comes from a server whose last events are lost, for example through a dump of its
/// tables. The projection fails at once, whatever `on_error` says, and a rebuild is the way out.
#[tokio::test]
async fn a_projection_whose_checkpoint_is_of_another_history_fails_with_se011_until_it_is_rebuilt()
{
    let (mut primary, session) = primary(100).await;
    session.batch_execute(SETUP).await.unwrap();
    session.batch_execute(DONE).await.unwrap();
    let standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    primary.kill_postmaster_9().unwrap();
    standby.promote().unwrap();
    let session = connect(&standby.url("store")).await;
    append_many(&session, "s", 20).await;
    session.batch_execute(DONE).await.unwrap();
    session
        .batch_execute("UPDATE eventcore.projections SET checkpoint = 4000000000")
        .await
        .unwrap();
    for attempt in 0..2 {
        append_many(&session, "s", 1).await;
        let shown = "SELECT status || ' ' || coalesce(last_sqlstate, '') || ' ' || skipped || ' ' || lag_events
                       FROM eventcore.stat_projections";
        eventually("it has failed", async || {
            let row = session.query_typed_one(shown, &[]).await.unwrap();
            row.get::<_, &str>(0) == format!("failed SE011 0 {}", 21 + attempt)
        })
        .await;
        let error = "SELECT last_error LIKE '%4000000000%another history%' OR last_error LIKE '%another history%4000000000%'
                       FROM eventcore.stat_projections";
        let row = session.query_typed_one(error, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0));
        // Resuming it does not help, and reports the same error.
        if attempt == 0 {
            session
                .batch_execute("SELECT eventcore_resume_projection('p')")
                .await
                .unwrap();
        }
    }
    session
        .batch_execute("SELECT eventcore_rebuild_projection('p')")
        .await
        .unwrap();
    session.batch_execute(DONE).await.unwrap();
    assert_eq!(number(&*session, WRONG).await, 0);
}
