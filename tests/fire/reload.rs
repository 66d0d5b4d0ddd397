//! A change of the configuration reaches processes that are just starting.
//!
//! The server makes a background worker ignore SIGHUP until it has a handler of its own:
//!
//! 1. The postmaster forks a notifier, which has `eventcore.projection_workers = 0` from it.
//! 2. The setting becomes 2, and `pg_reload_conf()` makes the postmaster signal all its processes.
//! 3. The notifier begins to ignore the signal, which is lost, and then sets its handlers.

use eventcore_harness::Server;

use crate::support::*;

const SETUP: &str = "
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql
        AS $$ INSERT INTO seen VALUES (e.position) $$;
    SELECT eventcore_create_projection('seen', 'see')";

const APPEND: &str =
    r#"SELECT eventcore_append('{s}', '{NULL}', '[{"stream": "s", "type": "T", "payload": 1}]')"#;

const NOTIFIER: &str = "
    SELECT pid FROM pg_stat_activity
     WHERE backend_type = 'eventcore notifier' AND datname = current_database()";

async fn change(session: &Session, setting: &str, value: &str) {
    let alter = format!("ALTER SYSTEM SET {setting} = {value}");
    for sql in [alter.as_str(), "SELECT pg_reload_conf()"] {
        session.batch_execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_notifier_that_is_starting_learns_of_a_change_of_the_configuration() {
    let options = options()
        .set("eventcore.projection_workers", "0")
        .set("log_min_messages", "debug1")
        .without_fsync();
    let server = Server::start(options).unwrap();
    let session = connect(&server.create_database("reloaded").unwrap()).await;
    session.batch_execute(SETUP).await.unwrap();
    session.batch_execute(APPEND).await.unwrap();
    let notifiers = async |sql: &str| session.query(sql, &[]).await.unwrap().len();
    eventually("the notifier is there", async || {
        notifiers(NOTIFIER).await == 1
    })
    .await;

    // So long does a process that starts wait before it sets its handlers.
    change(&session, "post_auth_delay", "1").await;
    let start = "starting background worker process \"eventcore notifier\"";
    let started = || server.log().matches(start).count();
    let before = started();
    let end = format!("SELECT pg_terminate_backend(pid) FROM ({NOTIFIER}) n");
    assert_eq!(notifiers(&end).await, 1);
    session.batch_execute(APPEND).await.unwrap();
    eventually("another notifier starts", async || started() > before).await;
    change(&session, "eventcore.projection_workers", "2").await;

    eventually("the projection has seen both events", async || {
        let count = "SELECT count(*) FROM seen";
        let row = session.query_one(count, &[]).await.unwrap();
        row.get::<_, i64>(0) == 2
    })
    .await;
}
