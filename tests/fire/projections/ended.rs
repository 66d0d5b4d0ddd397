//! P17: a worker whose process ends in the middle of a batch leaves a trace. The batch counts as
//! failed, is retried event by event, and ends as `on_error` says. No server restarts again and
//! again.

use eventcore_harness::Server;
use tokio_postgres::types::Type;

use crate::support::*;

/// How the worker's process ends, and the SQLSTATE that is recorded.
const TERMINATES: &str = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10)";
const KILLS: &str = "COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'; PERFORM pg_sleep(10)";

const CRASHES: &str = "all server processes terminated; reinitializing";

async fn start() -> (Server, Session) {
    let server = Server::start(options().without_fsync()).unwrap();
    let url = server.create_database("ended").unwrap();
    let session = connect(&url).await;
    session
        .batch_execute("CREATE TABLE seen (projection text, n int)")
        .await
        .unwrap();
    (server, session)
}

/// A handler that writes what it sees and does something on event 3.
fn handler(name: &str, on_three: &str) -> String {
    format!(
        "CREATE FUNCTION {name}(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO seen VALUES ('{name}', (e.payload->>'n')::int);
             IF e.payload->>'n' = '3' THEN {on_three}; END IF;
         END $$"
    )
}

async fn append_five(session: &Session) {
    let sql = "SELECT eventcore_append('{s}', '{NULL}', jsonb_agg(jsonb_build_object(
                   'stream', 's', 'type', 'T', 'payload', jsonb_build_object('n', n))))
                 FROM generate_series(1, 5) n";
    session.batch_execute(sql).await.unwrap();
}

/// What a projection has seen, in order.
async fn seen(session: &Session, name: &str) -> String {
    let sql =
        "SELECT coalesce(string_agg(n::text, ' ' ORDER BY n), '') FROM seen WHERE projection = $1";
    let row = session.query_typed_one(sql, &[(&name, Type::TEXT)]).await;
    row.unwrap().get(0)
}

/// Waits until this is true, also while the server restarts; returns a session after that.
async fn until(url: &str, what: &str, sql: &str) -> Session {
    let mut last = None;
    eventually(what, async || {
        let Ok(session) = connect_as(url, "fire").await else {
            return false;
        };
        let is_so = session.query_one(sql, &[]).await;
        let is_so = is_so.is_ok_and(|row| row.get(0));
        last = Some(session);
        is_so
    })
    .await;
    last.unwrap()
}

const PARKED: &str = "SELECT EXISTS (SELECT FROM eventcore.stat_projections WHERE name = 'p' AND lag_events = 0 AND parked = 1)";

async fn assert_parked(session: &Session, sqlstate: &str) {
    let sql = "SELECT k.sqlstate, k.attempts, k.reason, e.payload->>'n'
                 FROM eventcore.projection_parked k JOIN eventcore.events e USING (position)";
    let row = session.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), sqlstate);
    assert_eq!(row.get::<_, i32>(1), 2);
    let reason: &str = row.get(2);
    assert!(reason.contains("in the middle of this"), "{reason}");
    assert_eq!(row.get::<_, &str>(3), "3");
    assert_eq!(seen(session, "p").await, "1 2 4 5");
}

#[tokio::test]
async fn an_event_on_which_the_handler_terminates_its_process_is_found_and_parked() {
    let (server, session) = start().await;
    session
        .batch_execute(&handler("p", TERMINATES))
        .await
        .unwrap();
    append_five(&session).await;
    let create =
        "SELECT eventcore_create_projection('p', 'p', on_error => 'park', retry_limit => 1)";
    session.batch_execute(create).await.unwrap();
    let session = until(&server.url("ended"), "the event is parked", PARKED).await;
    assert_parked(&session, "57P01").await;
    assert!(!server.log().contains(CRASHES), "{}", server.log_tail(30));
}

#[tokio::test]
async fn an_event_on_which_the_process_is_killed_crashes_the_server_a_few_times_only() {
    let (server, session) = start().await;
    session.batch_execute(&handler("p", KILLS)).await.unwrap();
    // Another projection, in the middle of an event whenever the first one crashes the server.
    let slow = "PERFORM pg_sleep(1.5)";
    session.batch_execute(&handler("slow", slow)).await.unwrap();
    append_five(&session).await;
    let create = "SELECT eventcore_create_projection('slow', 'slow', on_error => 'skip', retry_limit => 0);
                  SELECT eventcore_create_projection('p', 'p', on_error => 'park', retry_limit => 1)";
    session.batch_execute(create).await.unwrap();
    let url = server.url("ended");
    let session = until(&url, "the event is parked", PARKED).await;
    assert_parked(&session, "57P02").await;
    // The batch, its third event, and that event again.
    assert_eq!(
        server.log().matches(CRASHES).count(),
        3,
        "{}",
        server.log_tail(60)
    );
    let done = "SELECT lag_events = 0 FROM eventcore.stat_projections WHERE name = 'slow'";
    let session = until(&url, "the other one comes to its end", done).await;
    // It is not blamed.
    assert_eq!(seen(&session, "slow").await, "1 2 3 4 5");
    let sql = "SELECT skipped FROM eventcore.stat_projections WHERE name = 'slow'";
    let skipped: i64 = session.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(skipped, 0);
}

#[tokio::test]
async fn a_shutdown_in_the_middle_of_an_event_is_not_a_failure_of_the_event() {
    let (mut server, session) = start().await;
    let waits = "WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.1); END LOOP";
    session.batch_execute("CREATE TABLE go ()").await.unwrap();
    session.batch_execute(&handler("p", waits)).await.unwrap();
    append_five(&session).await;
    let create = "SELECT eventcore_create_projection('p', 'p', on_error => 'skip', retry_limit => 0, batch_size => 1)";
    session.batch_execute(create).await.unwrap();
    let url = server.url("ended");
    // In the handler: a worker also holds a projection while it looks whether there is work.
    let at_work = "SELECT EXISTS (SELECT FROM eventcore.stat_projections p
                     JOIN pg_stat_activity a ON a.pid = p.worker_pid
                    WHERE a.wait_event = 'PgSleep' AND p.checkpoint = 2)";
    until(&url, "it is at the event", at_work).await;
    server.restart().unwrap();
    let session = until(&url, "it is at the event again", at_work).await;
    let sql = "SELECT last_error FROM eventcore.stat_projections";
    let error: Option<String> = session.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(error, None);
    // All processes are killed at once, as when a container ends: it is unknown whether the event
    // is to blame.
    let pid = "SELECT worker_pid FROM eventcore.stat_projections";
    let pid: i32 = session.query_one(pid, &[]).await.unwrap().get(0);
    server.signal(pid.unsigned_abs(), "STOP").unwrap();
    server.kill_postmaster_9().unwrap();
    server.signal(pid.unsigned_abs(), "KILL").unwrap();
    server.start_again().unwrap();
    let session = until(&url, "it is at the event once more", at_work).await;
    let noted = "SELECT last_error LIKE '%was killed in the middle of this' FROM eventcore.stat_projections";
    assert!(
        session
            .query_one(noted, &[])
            .await
            .unwrap()
            .get::<_, bool>(0)
    );
    session
        .batch_execute("INSERT INTO go DEFAULT VALUES")
        .await
        .unwrap();
    let done = "SELECT lag_events = 0 FROM eventcore.stat_projections";
    let session = until(&url, "it comes to its end", done).await;
    assert_eq!(seen(&session, "p").await, "1 2 3 4 5");
}
