//! What the views show about the notifier, and what they all report where appends are impossible.

use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions};
use serde_json::json;
use tokio_postgres::Row;

use crate::stat::{counts, inflight, notifier, write};
use crate::support::{Client, connect, failure, server_with_workers, value};

/// The row of the notifier, once it is as expected.
async fn notifier_once(client: &Client, what: &str, is_so: impl Fn(&Row) -> bool) -> Row {
    let started = Instant::now();
    loop {
        let row = notifier(client).await;
        if is_so(&row) {
            return row;
        }
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(20), "not {what}: {row:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn state(row: &Row) -> &str {
    row.get("state")
}

#[tokio::test]
async fn the_notifier_is_shown_at_work_ended_and_back_again() {
    let url = server_with_workers()
        .create_database("stat_notifier")
        .unwrap();
    let client = connect(&url).await;
    let row = notifier(&client).await;
    assert_eq!(state(&row), "none");
    assert_eq!(row.get::<_, Option<i32>>("pid"), None);
    assert_eq!(row.get::<_, i64>("notifications"), 0);
    for column in ["last_notified_at", "started_at"] {
        let at: Option<std::time::SystemTime> = row.get(column);
        assert_eq!(at, None, "{column}");
    }
    assert_eq!(row.get::<_, Option<i64>>("last_position"), None);

    let position = write(&client, "s").await;
    let announced = |position| {
        move |row: &Row| {
            state(row) == "running"
                && row.get::<_, Option<i64>>("last_position") == Some(position)
                && !row.get::<_, bool>("pending")
        }
    };
    let row = notifier_once(&client, "announced", announced(position)).await;
    let pid: i32 = row.get("pid");
    let sent: i64 = row.get("notifications");
    assert!(sent >= 1);
    let worker = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'eventcore notifier'
                     AND datname = current_database()";
    assert_eq!(value::<i32>(&client, worker).await, pid);
    let in_order = "SELECT started_at <= last_notified_at AND last_notified_at <= clock_timestamp()
                       AND started_at > clock_timestamp() - interval '1 minute'
                      FROM eventcore.stat_notifier";
    assert!(value::<bool>(&client, in_order).await);

    let position = write(&client, "s").await;
    let row = notifier_once(&client, "announced again", announced(position)).await;
    assert_eq!(row.get::<_, i64>("notifications"), sent + 1);

    let ended = "SELECT pg_terminate_backend(pid, 20000) FROM eventcore.stat_notifier";
    assert!(value::<bool>(&client, ended).await);
    let row = notifier_once(&client, "back", |row| state(row) == "running").await;
    assert_ne!(row.get::<_, i32>("pid"), pid);
    // Nothing is forgotten.
    assert!(row.get::<_, i64>("notifications") > sent);
    let position = write(&client, "s").await;
    notifier_once(&client, "announced by the new one", announced(position)).await;
}

/// For a statement that needs the database to itself, and fails because this session is in it.
#[tokio::test]
async fn a_notifier_that_leaves_for_others_is_shown_as_away() {
    let server = server_with_workers();
    let client = connect(&server.create_database("stat_away").unwrap()).await;
    write(&client, "s").await;
    notifier_once(&client, "running", |row| state(row) == "running").await;
    let admin = connect(&server.url("postgres")).await;
    let failed = tokio::spawn(async move {
        failure(
            admin
                .batch_execute("ALTER DATABASE stat_away RENAME TO stat_gone")
                .await,
        )
    });
    let row = notifier_once(&client, "away and gone", |row| {
        state(row) == "away" && row.get::<_, Option<i32>>("pid").is_none()
    })
    .await;
    let at: Option<std::time::SystemTime> = row.get("started_at");
    assert_eq!(at, None);
    assert_eq!(failed.await.unwrap().code, "55006");
    notifier_once(&client, "back", |row| state(row) == "running").await;
}

#[tokio::test]
async fn without_a_free_worker_the_notifier_is_shown_as_starting_with_work_to_do() {
    // The launcher takes the only worker.
    let options = ServerOptions::new()
        .without_fsync()
        .set("max_worker_processes", "1")
        .set("max_logical_replication_workers", "0");
    let server = Server::start(options).unwrap();
    let client = connect(&server.create_database("stat_starting").unwrap()).await;
    write(&client, "s").await;
    let row = notifier_once(&client, "starting", |row| state(row) == "starting").await;
    assert!(row.get::<_, bool>("pending"));
    assert_eq!(row.get::<_, Option<i32>>("pid"), None);
}

#[tokio::test]
async fn on_a_standby_the_views_say_that_nothing_is_appended_there() {
    let primary = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let client = connect(&primary.create_database("standby").unwrap()).await;
    write(&client, "s").await;
    let standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    let on_standby = connect(&standby.url("standby")).await;
    assert_eq!(counts(&on_standby).await, [0; 5]);
    assert_eq!(inflight(&on_standby).await.len(), 0);
    let row = notifier(&on_standby).await;
    assert_eq!(state(&row), "none");
    assert_eq!(row.get::<_, i64>("notifications"), 0);
    assert_eq!(row.get::<_, Option<i64>>("last_position"), None);
    // After a promotion the views count.
    standby.promote().unwrap();
    write(&on_standby, "s").await;
    assert_eq!(counts(&on_standby).await, [1, 1, 0, 0, 0]);
    notifier_once(&on_standby, "running", |row| state(row) == "running").await;
}

#[tokio::test]
async fn a_server_that_no_longer_loads_the_library_says_se009() {
    let mut server = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let url = server.create_database("unloaded").unwrap();
    server
        .psql(
            "postgres",
            "ALTER SYSTEM SET shared_preload_libraries = 'plpgsql'",
        )
        .unwrap();
    server.restart().unwrap();
    let client = connect(&url).await;
    for view in ["stat_appends", "stat_inflight", "stat_notifier"] {
        let sql = format!("SELECT * FROM eventcore.{view}");
        assert_eq!(
            failure(client.batch_execute(&sql).await).assert_ours("SE009"),
            json!({"reason": "not_preloaded"}),
            "{view}"
        );
    }
}
