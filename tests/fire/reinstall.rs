//! P4 and P11 while the extension is dropped and created: DROP and CREATE EXTENSION, DROP DATABASE.

use std::time::Duration;

use eventcore_harness::Server;

use crate::support::*;

async fn reinstall(session: &Session) {
    session
        .batch_execute(
            "SET eventcore.allow_drop = on;
             DROP EXTENSION eventcore CASCADE; DROP SCHEMA IF EXISTS eventcore CASCADE;
             CREATE EXTENSION eventcore; RESET eventcore.allow_drop",
        )
        .await
        .unwrap();
}

/// Session 1 appends in an extension that was just recreated, and stays open past the moment at
/// which the old extension's notifier notices. Session 2 appends and commits. A reader must not
/// pass session 1.
#[tokio::test]
async fn an_open_append_holds_readers_back_also_after_the_extension_was_recreated() {
    let url = database("reinstall");
    let (mut one, two) = (connect(&url).await, connect(&url).await);
    Append::one("s", None).send(&*two).await.unwrap();
    eventually("a notifier", async || !notifiers(&*two).await.is_empty()).await;
    reinstall(&two).await;

    let open = one.transaction().await.unwrap();
    let held = append_one(&open, "a").await;
    let last = append_one(&*two, "b").await;
    assert!(last > held);
    // Past the moment at which the old notifier has noticed and another one has started.
    for _ in 0..6 {
        assert_eq!(safe_position(&*two).await.unwrap(), held - 1);
        assert_eq!(read_all(&*two, held - 1, 10).await.unwrap(), []);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    open.commit().await.unwrap();
    assert_eq!(read_all(&*two, held - 1, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn listeners_are_woken_also_after_the_extension_was_recreated() {
    let url = database("reinstall_listen");
    let session = connect(&url).await;
    for _ in 0..30 {
        Append::one("s", None).send(&*session).await.unwrap();
    }
    eventually("a notifier", async || {
        !notifiers(&*session).await.is_empty()
    })
    .await;
    reinstall(&session).await;
    let mut listener = listen(&url).await;
    // Fewer than before.
    for _ in 0..3 {
        let done = Append::one("s", None).send(&*session).await.unwrap();
        listener.up_to(done.last.unwrap()).await;
    }
}

/// Session 1: a statement that began before the extension was recreated and calls eventcore after
/// that. Session 2 appends in the new one and stays open. Session 3 appends and commits. A reader
/// must not pass session 2.
#[tokio::test]
async fn a_statement_older_than_the_extension_leads_no_reader_past_an_open_append() {
    let url = database("reinstall_old");
    let (old, mut two, three) = (
        connect(&url).await,
        connect(&url).await,
        connect(&url).await,
    );
    Append::one("s", None).send(&*old).await.unwrap();
    safe_position(&*old).await.unwrap();
    let (old_pid, blocker) = (old.pid, connect(&url).await);
    blocker
        .batch_execute("SELECT pg_advisory_lock(1)")
        .await
        .unwrap();
    let late = tokio::spawn(async move {
        let sql = "SELECT pg_advisory_lock(1), eventcore_safe_position()";
        old.query_typed(sql, &[]).await.map(drop)
    });
    is_waiting(&three, old_pid).await;
    reinstall(&three).await;
    let open = two.transaction().await.unwrap();
    let held = append_one(&open, "a").await;
    Append::one("b", None).send(&*three).await.unwrap();
    assert_eq!(safe_position(&*three).await.unwrap(), held - 1);
    blocker
        .batch_execute("SELECT pg_advisory_unlock(1)")
        .await
        .unwrap();
    let _outcome = in_time("the old statement", late).await.unwrap();
    assert_eq!(safe_position(&*three).await.unwrap(), held - 1);
    assert!(read_all(&*three, held - 1, 10).await.unwrap().is_empty());
    let last = append_one(&*three, "b").await;
    open.commit().await.unwrap();
    assert_eq!(safe_position(&*three).await.unwrap(), last);
    assert_eq!(read_all(&*three, held - 1, 10).await.unwrap().len(), 3);
}

/// The extension is created and used in one transaction, so the notifier cannot see it when it
/// starts.
#[tokio::test]
async fn listeners_are_woken_by_appends_of_the_transaction_that_made_the_extension() {
    let url = server().create_empty_database("reinstall_one").unwrap();
    let mut session = connect(&url).await;
    let mut listener = listen(&url).await;
    let transaction = session.transaction().await.unwrap();
    transaction
        .batch_execute("CREATE EXTENSION eventcore")
        .await
        .unwrap();
    Append::one("s", None).send(&transaction).await.unwrap();
    let last = Append::one("s", Some(1))
        .send(&transaction)
        .await
        .unwrap()
        .last
        .unwrap();
    // Longer than a notifier is expected to wait.
    tokio::time::sleep(Duration::from_secs(5)).await;
    transaction.commit().await.unwrap();
    assert!(safe_position(&*session).await.unwrap() >= last);
    assert_eq!(truth(&*session).await.len(), 2);
    listener.up_to(last).await;
}

/// What an append left behind, in a transaction that undid the extension, must not keep any process
/// busy.
#[tokio::test]
async fn where_the_extension_was_undone_no_notifier_is_started_again_and_again() {
    let server = Server::start(options().set("log_min_messages", "debug1")).unwrap();
    let url = server.create_empty_database("undone").unwrap();
    let mut session = connect(&url).await;
    let transaction = session.transaction().await.unwrap();
    transaction
        .batch_execute("CREATE EXTENSION eventcore")
        .await
        .unwrap();
    Append::one("s", None).send(&transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    let starts = || {
        let log = server.log();
        log.matches("starting background worker process \"eventcore notifier\"")
            .count()
    };
    // A few checks are acceptable; checks that never end are not.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = starts();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(starts() <= before + 1, "{} more in 4 s", starts() - before);
}

/// Another session needs the database for itself while an append is open; the notifier leaves.
#[tokio::test]
async fn an_append_that_commits_after_the_notifier_was_sent_away_is_announced() {
    let url = database("sent_away");
    let (mut one, two) = (connect(&url).await, connect(&url).await);
    let mut listener = listen(&url).await;
    let done = Append::one("s", None).send(&*two).await.unwrap();
    listener.up_to(done.last.unwrap()).await;
    let open = one.transaction().await.unwrap();
    let last = append_one(&open, "s").await;
    // Refused, because this session is connected to it.
    let error = two
        .batch_execute("ALTER DATABASE sent_away RENAME TO other")
        .await
        .unwrap_err();
    assert_eq!(sqlstate(&error), "0A000");
    tokio::time::sleep(Duration::from_millis(300)).await;
    open.commit().await.unwrap();
    listener.up_to(last).await;
}

#[tokio::test]
async fn a_role_without_privileges_cannot_send_the_notifier_away() {
    let url = database("mallory_target");
    let session = connect(&url).await;
    let mut listener = listen(&url).await;
    let done = Append::one("s", None).send(&*session).await.unwrap();
    listener.up_to(done.last.unwrap()).await;
    let before = notifiers(&*session).await;
    session
        .batch_execute("CREATE ROLE mallory LOGIN")
        .await
        .unwrap();
    let mallory = connect(&url.replace("postgres@/mallory_target", "mallory@/postgres")).await;
    for attack in [
        "DROP DATABASE mallory_target",
        "ALTER DATABASE mallory_target CONNECTION LIMIT 5",
        "ALTER DATABASE mallory_target RENAME TO mine",
        "CREATE DATABASE mine TEMPLATE mallory_target",
    ] {
        let error = mallory.batch_execute(attack).await.unwrap_err();
        assert_eq!(sqlstate(&error), "42501", "{attack}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(notifiers(&*session).await, before, "after {attack}");
    }
}

#[tokio::test]
async fn a_database_is_dropped_while_its_notifier_runs_and_its_place_is_used_again() {
    let admin = connect(&server().url("postgres")).await;
    for round in 0..3 {
        let url = database("short_lived");
        let session = connect(&url).await;
        let last = Append::one("s", Some(0))
            .send(&*session)
            .await
            .unwrap()
            .last
            .unwrap();
        assert_eq!(
            safe_position(&*session).await.unwrap(),
            last,
            "round {round}"
        );
        eventually("a notifier", async || {
            !notifiers(&*session).await.is_empty()
        })
        .await;
        drop(session);
        eventually("the session is gone", async || {
            let count = "SELECT count(*) FROM pg_stat_activity
                          WHERE datname = 'short_lived' AND backend_type = 'client backend'";
            admin
                .query_typed_one(count, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
                == 0
        })
        .await;
        in_time(
            "DROP DATABASE",
            admin.batch_execute("DROP DATABASE short_lived"),
        )
        .await
        .unwrap();
    }
}
