//! PostgreSQL 17 has brought the privilege MAINTAIN and the role `pg_maintain`, which has it on every table:
//! VACUUM, ANALYZE, REINDEX, CLUSTER, and LOCK TABLE in any mode.

use serde_json::json;

use super::is_at_least;
use crate::support::{append, connect, database, event, failure, session_as, until_waiting, value};

const MAINTENANCE: [&str; 8] = [
    "VACUUM (ANALYZE) eventcore.events",
    "VACUUM FULL eventcore.events",
    "ANALYZE eventcore.events",
    "REINDEX TABLE CONCURRENTLY eventcore.events",
    "REINDEX TABLE eventcore.events",
    "CLUSTER eventcore.events USING events_pkey",
    "REINDEX SCHEMA eventcore",
    "VACUUM",
];

#[tokio::test]
async fn appends_go_on_whatever_a_role_with_pg_maintain_does_to_the_tables() {
    if !is_at_least(17) {
        return;
    }
    let (url, client) = database("majors_maintain").await;
    let create = "CREATE ROLE majors_janitor LOGIN IN ROLE pg_maintain, eventcore_reader";
    client.batch_execute(create).await.unwrap();
    let janitor = session_as("majors_maintain", "majors_janitor").await;
    let mut version = 0;
    let mut write = async || {
        let done = append(&client, &[("a", Some(version))], json!([event("a", 1)])).await;
        version += 1;
        assert_eq!(done.unwrap().versions, [version]);
    };
    for statement in MAINTENANCE {
        write().await;
        janitor.batch_execute(statement).await.unwrap();
    }
    write().await;
    // It may do no more than that.
    for statement in ["DELETE FROM eventcore.events", "TRUNCATE eventcore.events"] {
        let refused = failure(janitor.batch_execute(statement).await);
        assert_eq!(refused.code, "42501", "{statement}");
    }
    let other = connect(&url).await;
    let check = "SELECT count(*) FROM eventcore_check(thorough => true)";
    assert_eq!(value::<i64>(&other, check).await, 0);
}

/// The role stops all appends for as long as its transaction is open.
#[tokio::test]
async fn an_append_waits_for_a_table_that_is_locked_or_ends_with_its_lock_timeout() {
    if !is_at_least(17) {
        return;
    }
    let (url, client) = database("majors_lock").await;
    client
        .batch_execute(
            "CREATE ROLE majors_locker LOGIN IN ROLE eventcore_reader;
             GRANT MAINTAIN ON eventcore.events TO majors_locker",
        )
        .await
        .unwrap();
    let locker = session_as("majors_lock", "majors_locker").await;
    let watcher = connect(&url).await;
    let lock = "BEGIN; LOCK TABLE eventcore.events IN ACCESS EXCLUSIVE MODE";
    locker.batch_execute(lock).await.unwrap();

    client
        .batch_execute("SET lock_timeout = '50 ms'")
        .await
        .unwrap();
    let refused = append(&client, &[("a", Some(0))], json!([event("a", 1)])).await;
    assert_eq!(refused.unwrap_err().code, "55P03");

    client.batch_execute("RESET lock_timeout").await.unwrap();
    let unlock = async {
        until_waiting(&watcher, 1).await;
        let blocking = "SELECT DISTINCT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity WHERE datname = 'majors_lock'";
        let blocking = value::<i32>(&watcher, blocking).await;
        assert_eq!(
            blocking,
            value::<i32>(&locker, "SELECT pg_backend_pid()").await
        );
        locker.batch_execute("COMMIT").await.unwrap();
    };
    let events = json!([event("a", 1)]);
    let (done, ()) = tokio::join!(append(&client, &[("a", Some(0))], events), unlock);
    assert_eq!(done.unwrap().versions, [1]);
    // An operator is told of the privilege.
    let found =
        "SELECT string_agg(concat_ws('|', finding, object, statement), '') FROM eventcore_check()";
    assert_eq!(
        value::<String>(&watcher, found).await,
        "privilege|table eventcore.events|REVOKE MAINTAIN ON TABLE eventcore.events FROM majors_locker"
    );
}
