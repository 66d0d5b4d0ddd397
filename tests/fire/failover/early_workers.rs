//! A worker of projections that looks before a synchronous standby has confirmed an event.
//!
//! | worker | appender and standby |
//! |---|---|
//! | | an event is committed without waiting for the standby, which is away |
//! | wakes for another reason, such as a change of a projection | |
//! | finds nothing that it may read, and sleeps for up to 10 s | |
//! | | the standby confirms, and the notifier wakes all who wait |
//! | has to read the event now | |

use super::*;

/// How often a worker looks without being woken, in seconds.
const INTERVAL: f64 = 10.0;

/// A loaded machine may need longer than that for a cycle.
const CYCLES: usize = 5;

async fn reaches(session: &Session, position: i64) {
    let checkpoint = "SELECT checkpoint FROM eventcore.projections";
    eventually("the projection has its checkpoint", async || {
        number(&**session, checkpoint).await == position
    })
    .await;
}

/// Appends an event of this type, and returns its position.
async fn append(session: &Session, event_type: &str) -> i64 {
    let append = format!(
        "SELECT last_position FROM eventcore_append(ARRAY['s'], ARRAY[NULL]::bigint[],
             '[{{\"stream\": \"s\", \"type\": \"{event_type}\", \"payload\": {{}}}}]')"
    );
    number(&**session, &append).await
}

/// How many seconds after the worker was made to look the event was projected.
async fn cycle(primary: &Server, standby: &mut Server, session: &Session) -> f64 {
    // A projection that no event matches rests: the worker looks for it in another way.
    let passed = append(session, "Other").await;
    reaches(session, passed).await;
    standby.stop().unwrap();
    let local = connect(&primary.url("store")).await;
    local
        .batch_execute("SET synchronous_commit = local")
        .await
        .unwrap();
    let position = append(&local, "Wanted").await;
    let began = local
        .query_typed_one("SELECT clock_timestamp()::text", &[])
        .await
        .unwrap();
    let began: String = began.get(0);
    local
        .batch_execute("SELECT eventcore_resume_projection('p')")
        .await
        .unwrap();
    let slept = format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE backend_type = 'eventcore projection worker' AND datname = current_database()
            AND state = 'idle' AND state_change > '{began}'"
    );
    eventually("the worker has looked and sleeps", async || {
        number(&*local, &slept).await == 1
    })
    .await;
    let seen = format!("SELECT count(*) FROM seen WHERE position = {position}");
    assert_eq!(number(&*local, &seen).await, 0);
    standby.start_again().unwrap();
    eventually("the event is projected", async || {
        number(&*local, &seen).await == 1
    })
    .await;
    let after = format!(
        "SELECT extract(epoch FROM at - '{began}')::float8 FROM seen WHERE position = {position}"
    );
    let row = local.query_typed_one(&after, &[]).await.unwrap();
    row.get(0)
}

/// A worker that sleeps on projects the event no sooner than its interval is over.
async fn assert_prompt(types: &str) {
    let (primary, session) = primary(1).await;
    session
        .batch_execute(&format!(
            "CREATE TABLE seen (position bigint, at timestamptz NOT NULL DEFAULT clock_timestamp());
             CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql
                 AS 'INSERT INTO public.seen VALUES (e.position)';
             SELECT eventcore_create_projection('p', 'see', event_types => {types})"
        ))
        .await
        .unwrap();
    reaches(&session, 1).await;
    let mut standby = primary.standby_with(&[("cluster_name", "one")]).unwrap();
    primary
        .configure(&[("synchronous_standby_names", "one")])
        .unwrap();
    primary.psql("postgres", "SELECT pg_reload_conf()").unwrap();
    eventually("it is the synchronous standby", async || {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        number(&*session, sql).await == 1
    })
    .await;
    let mut all = Vec::new();
    while all.len() < CYCLES {
        let after = cycle(&primary, &mut standby, &session).await;
        if after < INTERVAL {
            return;
        }
        all.push(after);
    }
    panic!("the events were projected after {all:?} s");
}

#[tokio::test]
async fn a_worker_that_looked_too_early_projects_an_event_when_the_standby_has_it() {
    assert_prompt("NULL").await;
}

#[tokio::test]
async fn a_worker_whose_projection_rests_projects_an_event_when_the_standby_has_it() {
    assert_prompt("ARRAY['Wanted']").await;
}
