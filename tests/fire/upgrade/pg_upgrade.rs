//! P17: no process of eventcore works in a server that `pg_upgrade` has started.
//!
//! `pg_upgrade` reads the next transaction id of the old server and starts that server once more.
//! Writes of a worker would then get ids that the new server gives out again.

use eventcore_harness::Server;

use crate::support::*;

const EVENTS: i64 = 100;

/// A handler that inserts first, and then refuses even positions.
const SETUP: &str = "
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION refuse_even(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO seen VALUES (e.position);
            IF e.position % 2 = 0 THEN RAISE EXCEPTION 'even'; END IF;
        END $$;
    SELECT eventcore_create_projection('odd', 'refuse_even', on_error => 'skip', retry_limit => 0, batch_size => 1)";

/// Settings for both servers while `pg_upgrade` runs them: there is nothing but `pg_upgrade` that
/// keeps projections from running.
pub(super) const WITH_WORKERS: [(&str, &str); 2] = [
    ("eventcore.projection_workers", "2"),
    ("log_min_messages", "debug1"),
];

/// Neither in the old server nor in this one, which `pg_upgrade` has run with [`WITH_WORKERS`].
#[track_caller]
pub(super) fn assert_no_process_has_worked(new: &Server) {
    let log = new.log_of_upgrade().unwrap();
    assert!(
        log.contains("DEBUG:"),
        "it does not say what was started: {log}"
    );
    // The server logs each background worker that it starts, with this name.
    assert!(!log.contains("process \"eventcore"), "{log}");
}

#[tokio::test]
async fn projections_rest_during_pg_upgrade_and_what_they_rolled_back_stays_rolled_back() {
    // No worker until pg_upgrade runs the server.
    let idle = || {
        let options = options().set("eventcore.projection_workers", "0");
        options.without_fsync()
    };
    let mut old = Server::start(idle()).unwrap();
    // Not through a template: pg_upgrade wants to connect to every database.
    let url = old.create_empty_database("upgraded").unwrap();
    old.psql("upgraded", "CREATE EXTENSION eventcore").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    let append = format!(
        "SELECT eventcore_append('{{s}}', '{{NULL}}', jsonb_agg('{{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}}'::jsonb))
           FROM generate_series(1, {EVENTS})"
    );
    session.batch_execute(&append).await.unwrap();
    drop(session);
    old.stop().unwrap();

    let new = old.upgrade(idle(), &WITH_WORKERS).unwrap();
    assert_no_process_has_worked(&new);
    let session = connect(&new.url("upgraded")).await;
    let checkpoint = "SELECT checkpoint FROM eventcore.projections";
    let at: i64 = session.query_one(checkpoint, &[]).await.unwrap().get(0);
    assert_eq!(at, 0, "a worker ran under pg_upgrade");
    let begun = "SELECT count(*) FROM seen";
    let begun: i64 = session.query_one(begun, &[]).await.unwrap().get(0);
    assert_eq!(begun, 0, "rows that a worker wrote under pg_upgrade");

    // After the upgrade they work as usual.
    for sql in [
        "ALTER SYSTEM SET eventcore.projection_workers = 2",
        "SELECT pg_reload_conf()",
    ] {
        session.batch_execute(sql).await.unwrap();
    }
    eventually("the projection has seen all events", async || {
        let row = session.query_one(checkpoint, &[]).await.unwrap();
        row.get::<_, i64>(0) == EVENTS
    })
    .await;
    let counts = "SELECT count(*) FILTER (WHERE position % 2 = 0), count(*) FROM seen";
    let row = session.query_one(counts, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0, "even positions");
    assert_eq!(row.get::<_, i64>(1), EVENTS / 2);
}
