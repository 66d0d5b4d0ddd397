//! P17: a failure of the notifier is shown in a view. It delays waiters and projections no longer
//! than necessary, never makes the notifier loop without a pause, and never keeps it from ending.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions};
use tokio_postgres::types::Type;

use crate::support::*;

const SETUP: &str = "
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO seen VALUES (e.position)';
    SELECT eventcore_create_projection('p', 'see')";

async fn start(options: ServerOptions) -> (Server, String, Session) {
    let server = Server::start(options.without_fsync()).unwrap();
    let url = server.create_database("faults").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    let last = append_one(&*session, "s").await;
    projected(&session, last).await;
    (server, url, session)
}

async fn projected(session: &Session, position: i64) {
    eventually("it is projected", async || {
        let sql = "SELECT checkpoint >= $1 FROM eventcore.projections";
        let row = session
            .query_typed_one(sql, &[(&position, Type::INT8)])
            .await;
        row.unwrap().get(0)
    })
    .await;
}

/// The notifier's last failure, and how often it has failed.
async fn failed(session: &Session, what: &str) -> i64 {
    let sql = "SELECT coalesce(max(failures), 0) FROM eventcore.stat_workers
                WHERE kind = 'notifier' AND last_error LIKE '%' || $1 || '%' AND last_error_at <= clock_timestamp()
                  AND length(last_sqlstate) = 5";
    let row = session.query_typed_one(sql, &[(&what, Type::TEXT)]).await;
    row.unwrap().get(0)
}

async fn notifier(session: &Session) -> i32 {
    let mut pid = None;
    eventually("a notifier", async || {
        pid = notifiers(&**session).await.first().copied();
        pid.is_some()
    })
    .await;
    pid.unwrap()
}

/// Ends a process, which must not take long.
async fn end(session: &Session, pid: i32) {
    let sql = "SELECT pg_terminate_backend($1, 5000)";
    let ended = session.query_typed_one(sql, &[(&pid, Type::INT4)]).await;
    assert!(ended.unwrap().get::<_, bool>(0), "it does not end");
}

/// How many transaction ids the server uses in a while.
async fn ids_in(session: &Session, time: Duration) -> i64 {
    let sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let before: i64 = session.query_one(sql, &[]).await.unwrap().get(0);
    tokio::time::sleep(time).await;
    session.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) - before
}

/// A queue that accepts no notification: here its folder is not writable, in production a session
/// listens and never reads.
#[tokio::test]
async fn while_no_notification_can_be_sent_waiters_wake_and_projections_run() {
    let (server, url, session) = start(options()).await;
    let folder = server.data().join("pg_notify");
    let writable = |writable: bool| {
        let mode = if writable { 0o700 } else { 0o500 };
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // A listener in a transaction keeps sent notifications from being removed, so the queue grows.
    let idle = connect(&url).await;
    idle.batch_execute("LISTEN noise").await.unwrap();
    idle.batch_execute("BEGIN; SELECT 1").await.unwrap();
    writable(false);
    // Large notifications fill the queue, small ones its last page.
    for bytes in [7900, 1] {
        let noise = format!(
            "DO $$ BEGIN LOOP PERFORM pg_notify('noise', repeat('x', {bytes})); COMMIT; END LOOP; END $$"
        );
        let full = in_time("filling the queue", session.batch_execute(&noise)).await;
        full.unwrap_err();
    }
    let waiting = connect(&url).await;
    for _ in 0..3 {
        let before = safe_position(&*session).await.unwrap();
        let start = Instant::now();
        let append = async { append_one(&*session, "s").await };
        let (woken, last) = tokio::join!(wait(&*waiting, before, 30), append);
        assert!(woken.unwrap() >= last);
        projected(&session, last).await;
        assert!(start.elapsed() < PATIENCE);
    }
    eventually("the failure is shown", async || {
        failed(&session, "").await > 0
    })
    .await;
    let pid = notifier(&session).await;
    let last = append_one(&*session, "s").await;
    projected(&session, last).await;
    let line = "the notifier cannot send a notification";
    assert_eq!(
        server.log().matches(line).count(),
        1,
        "{}",
        server.log_tail(20)
    );
    writable(true);
    idle.batch_execute("COMMIT").await.unwrap();
    let mut listener = listen(&url).await;
    let last = append_one(&*session, "s").await;
    assert_eq!(listener.up_to(last).await.last(), Some(&last));
    assert_eq!(notifier(&session).await, pid, "it has never ended");
}

/// Nor can the notifications be removed that all listeners have read. The view shows why it fails,
/// and each attempt counts once, so the pause does not grow faster than it should.
#[tokio::test]
async fn a_notification_that_fails_and_cannot_make_room_is_one_failure() {
    let options = options().set("shared_preload_libraries", "eventcore,eventcore_faults");
    let (server, url, session) = start(options).await;
    let stubs = session.query_one("SHOW faults.stubs", &[]).await.unwrap();
    if stubs.get::<_, &str>(0) == "0" {
        return;
    }
    let fail =
        "ALTER DATABASE faults SET faults.functions = 'Async_Notify,pg_notification_queue_usage'";
    session.batch_execute(fail).await.unwrap();
    end(&session, notifier(&session).await).await;
    let last = append_one(&*session, "s").await;
    projected(&session, last).await;
    let line = "the notifier cannot remove read notifications";
    eventually("both have failed", async || server.log().contains(line)).await;
    let shown = "SELECT last_error FROM eventcore.stat_workers WHERE kind = 'notifier'";
    let row = session.query_one(shown, &[]).await.unwrap();
    let error: &str = row.get(0);
    assert!(error.ends_with("of Async_Notify"), "{error}");

    let works = "ALTER DATABASE faults RESET faults.functions";
    session.batch_execute(works).await.unwrap();
    end(&session, notifier(&session).await).await;
    let mut listener = listen(&url).await;
    let last = append_one(&*session, "s").await;
    assert_eq!(listener.up_to(last).await.last(), Some(&last));
}

#[tokio::test]
async fn with_a_table_or_an_index_that_is_gone_it_pauses_and_goes_on_when_it_is_back() {
    let (_server, _, session) = start(options()).await;
    // Statements that rename them are refused; a superuser can still change the catalogs.
    for (away, back) in [
        (
            "UPDATE pg_class SET relname = 'elsewhere' WHERE oid = 'eventcore.projections'::regclass",
            "UPDATE pg_class SET relname = 'projections' WHERE relname = 'elsewhere'",
        ),
        (
            "UPDATE pg_class SET relname = 'elsewhere' WHERE oid = 'eventcore.projections_pkey'::regclass",
            "UPDATE pg_class SET relname = 'projections_pkey' WHERE relname = 'elsewhere'",
        ),
        (
            "UPDATE pg_namespace SET nspname = 'elsewhere' WHERE nspname = 'eventcore'",
            "UPDATE pg_namespace SET nspname = 'eventcore' WHERE nspname = 'elsewhere'",
        ),
    ] {
        let pid = notifier(&session).await;
        session.batch_execute(away).await.unwrap();
        // The next one looks at once.
        end(&session, pid).await;
        let ids = ids_in(&session, Duration::from_secs(2)).await;
        assert!(ids < 50, "{ids} transactions in two seconds: {away}");
        let end =
            "SELECT coalesce(bool_and(pg_terminate_backend(pid, 5000)), true) FROM pg_stat_activity
                    WHERE backend_type = 'eventcore notifier' AND datname = current_database()";
        assert!(
            session.query_one(end, &[]).await.unwrap().get::<_, bool>(0),
            "{away}"
        );
        session.batch_execute(back).await.unwrap();
        let last = append_one(&*session, "s").await;
        projected(&session, last).await;
    }
}

#[tokio::test]
async fn while_the_projections_are_locked_the_notifier_shows_it_and_can_be_ended() {
    let (mut server, url, session) = start(options()).await;
    let locker = connect(&url).await;
    let lock = "BEGIN; LOCK TABLE eventcore.projections IN ACCESS EXCLUSIVE MODE";
    locker.batch_execute(lock).await.unwrap();
    // The next one looks at once.
    end(&session, notifier(&session).await).await;
    let pid = notifier(&session).await;
    eventually("it shows what it waited for", async || {
        failed(&session, "lock timeout").await > 0
    })
    .await;
    end(&session, pid).await;
    // The next one waits as well.
    notifier(&session).await;
    let start = Instant::now();
    server.stop().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

/// Databases that accept no connections: a notifier would only end again, with a line in the log
/// each time.
#[tokio::test]
async fn a_database_that_takes_no_connections_is_left_alone() {
    let (server, _, session) = start(options()).await;
    let admin = connect(&server.url("postgres")).await;
    let close = "ALTER DATABASE faults ALLOW_CONNECTIONS false";
    admin.batch_execute(close).await.unwrap();
    let pid = notifier(&session).await;
    end(&admin, pid).await;
    let before = server
        .log()
        .matches("is not currently accepting connections")
        .count();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = server
        .log()
        .matches("is not currently accepting connections")
        .count();
    assert!(after <= before + 1, "{}", server.log_tail(20));
    admin
        .batch_execute("ALTER DATABASE faults ALLOW_CONNECTIONS true")
        .await
        .unwrap();
    let last = append_one(&*session, "s").await;
    projected(&session, last).await;
}

/// There is one slot for all workers but the launcher: each database gets its turn, and projections
/// get the slot of a notifier that has nothing to do.
#[tokio::test]
async fn a_database_without_a_worker_at_the_start_is_looked_at_later() {
    // The launcher of logical replication, eventcore's launcher, a notifier and a worker.
    let mut server =
        Server::start(options().set("max_worker_processes", "4").without_fsync()).unwrap();
    for name in ["one", "two"] {
        let session = connect(&server.create_database(name).unwrap()).await;
        session.batch_execute(SETUP).await.unwrap();
    }
    let one = connect(&server.url("one")).await;
    let two = connect(&server.url("two")).await;
    append_one(&*one, "s").await;
    append_one(&*two, "s").await;
    drop((one, two));
    server.restart().unwrap();
    let one = connect(&server.url("one")).await;
    let two = connect(&server.url("two")).await;
    let done = "SELECT lag_events = 0 FROM eventcore.stat_projections";
    // The first one keeps both slots as long as it has a projection.
    let mut first = None;
    eventually("one of them is run", async || {
        for (session, other) in [(&one, &two), (&two, &one)] {
            if session.query_one(done, &[]).await.unwrap().get(0) {
                first = Some((session, other));
            }
        }
        first.is_some()
    })
    .await;
    let (session, other) = first.unwrap();
    session
        .batch_execute("SELECT eventcore_drop_projection('p')")
        .await
        .unwrap();
    let end =
        "SELECT pg_terminate_backend(pid, 5000) FROM eventcore.stat_notifier WHERE pid IS NOT NULL";
    session.query(end, &[]).await.unwrap();
    eventually("the other one is run", async || {
        other.query_one(done, &[]).await.unwrap().get(0)
    })
    .await;
}

/// Databases that a prepared transaction has locked: their notifiers cannot log in. The launcher serves the others
/// meanwhile.
#[tokio::test]
async fn databases_that_cannot_be_entered_keep_no_other_one_waiting() {
    let options = options()
        .set("max_prepared_transactions", "4")
        .without_fsync();
    let mut server = Server::start(options).unwrap();
    let admin = connect(&server.url("postgres")).await;
    for name in ["first", "second", "third", "fourth"] {
        let statements = [
            format!("CREATE DATABASE {name}"),
            "BEGIN".to_owned(),
            format!("ALTER DATABASE {name} RENAME TO {name}_renamed"),
            format!("PREPARE TRANSACTION '{name}'"),
        ];
        for statement in statements {
            admin.batch_execute(&statement).await.unwrap();
        }
    }
    let url = server.create_database("free").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    drop((admin, session));
    server.restart().unwrap();
    let session = connect(&url).await;
    let last = append_one(&*session, "s").await;
    projected(&session, last).await;
}
