//! A projection that is not run says why, and runs as soon as the reason is gone.

use eventcore_harness::{Server, ServerOptions};

use super::{database, server, until, wait, write};
use crate::support::{connect, major, value};

const WAITS_FOR: &str = "SELECT coalesce(waits_for, 'nothing') FROM eventcore.stat_projections";

#[tokio::test]
async fn an_owner_without_the_rights_of_a_worker_is_named_as_the_reason() {
    let (_, client) = database("projection_hindered").await;
    client
        .batch_execute(
            "CREATE ROLE hindered_owner LOGIN IN ROLE eventcore_projector;
             REVOKE CONNECT ON DATABASE projection_hindered FROM PUBLIC;
             GRANT CONNECT ON DATABASE projection_hindered TO hindered_owner;
             GRANT ALL ON seen, seen_seq_seq TO hindered_owner;
             SET ROLE hindered_owner;
             SELECT eventcore_create_projection('p', 'see');
             RESET ROLE",
        )
        .await
        .unwrap();
    write(&client, "a", 1..=1).await;
    wait(&client, "p").await.unwrap();
    for (hinder, reason, relieve) in [
        (
            "ALTER ROLE hindered_owner NOLOGIN",
            "owner may not log in",
            "ALTER ROLE hindered_owner LOGIN",
        ),
        (
            "REVOKE CONNECT ON DATABASE projection_hindered FROM hindered_owner",
            "owner may not connect",
            "GRANT CONNECT ON DATABASE projection_hindered TO hindered_owner",
        ),
        (
            "REVOKE eventcore_projector FROM hindered_owner",
            "owner lacks privileges",
            "GRANT eventcore_projector TO hindered_owner",
        ),
    ] {
        client.batch_execute(hinder).await.unwrap();
        // A session that has begun keeps its settings.
        let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = 'hindered_owner'";
        client.batch_execute(end).await.unwrap();
        write(&client, "a", 2..=2).await;
        let says = format!("SELECT ({WAITS_FOR}) = '{reason}'");
        until(&client, &says).await;
        client.batch_execute(relieve).await.unwrap();
        wait(&client, "p").await.unwrap();
        until(&client, &format!("SELECT ({WAITS_FOR}) = 'nothing'")).await;
    }
}

#[tokio::test]
async fn without_a_free_worker_the_views_say_so_and_the_next_free_one_is_taken() {
    // Logical replication, the launcher and the notifier take all workers.
    let options = ServerOptions::new().set("max_worker_processes", "3");
    let mut server = Server::start(options).unwrap();
    let client = connect(&server.create_database("short").unwrap()).await;
    client.batch_execute(super::HANDLERS).await.unwrap();
    super::create(&client, "p", "see", "").await;
    write(&client, "a", 1..=1).await;
    until(&client, &format!("SELECT ({WAITS_FOR}) = 'no free worker'")).await;
    let shown = "SELECT count(*) FROM eventcore.stat_workers
                  WHERE kind = 'notifier' AND failures > 0 AND last_sqlstate = '53400' AND last_error LIKE '%max_worker_processes%'";
    assert_eq!(value::<i64>(&client, shown).await, 1);
    let kinds = "SELECT string_agg(kind, ' ' ORDER BY kind) FROM eventcore.stat_workers WHERE pid IS NOT NULL";
    assert_eq!(value::<String>(&client, kinds).await, "launcher notifier");
    client
        .batch_execute("ALTER SYSTEM SET max_worker_processes = 8")
        .await
        .unwrap();
    drop(client);
    server.restart().unwrap();
    let client = connect(&server.url("short")).await;
    wait(&client, "p").await.unwrap();
    let kinds_after = "SELECT string_agg(kind || coalesce(' of ' || owner, ''), ', ' ORDER BY kind)
                         FROM eventcore.stat_workers WHERE pid IS NOT NULL";
    until(
        &client,
        &format!("SELECT ({kinds_after}) = 'launcher, notifier, projections of postgres'"),
    )
    .await;
}

/// The clock was an hour ahead when the projection failed, and is right again.
#[tokio::test]
async fn what_is_due_later_than_its_own_delay_allows_is_due() {
    let (_, client) = database("projection_clock").await;
    super::create(&client, "p", "see", "").await;
    write(&client, "a", 1..=1).await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute(
            "SELECT eventcore_pause_projection('p');
             UPDATE eventcore.projections SET attempts = 3, retry_at = clock_timestamp() + interval '1 hour', status = 'running'",
        )
        .await
        .unwrap();
    write(&client, "a", 2..=2).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(super::seen(&client).await, [1, 2]);
}

/// The commit fails on the second event again and again: with the SQLSTATE of a full notification
/// queue, which all server limits share, or with that of a configured limit.
#[tokio::test]
async fn an_event_that_exceeds_a_limit_at_the_commit_is_to_blame_for_it() {
    for (limit, name) in [
        ("54000", "projection_limit"),
        ("53400", "projection_configured"),
    ] {
        let (_, client) = database(name).await;
        client
            .batch_execute(&format!(
                "CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                     BEGIN RAISE EXCEPTION 'too large' USING ERRCODE = '{limit}'; END $$;
                 CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON seen DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW WHEN (NEW.n = 2) EXECUTE FUNCTION fail_at_commit()"
            ))
            .await
            .unwrap();
        super::create(
            &client,
            "p",
            "see",
            ", on_error => 'skip', retry_limit => 1",
        )
        .await;
        write(&client, "a", 1..=3).await;
        wait(&client, "p").await.unwrap();
        assert_eq!(super::seen(&client).await, [1, 3]);
        let row = "SELECT skipped || ' ' || last_sqlstate FROM eventcore.stat_projections";
        assert_eq!(value::<String>(&client, row).await, format!("1 {limit}"));
    }
}

/// From PostgreSQL 17 on, the queue can be made small enough to fill. A transaction that has
/// listened and is idle keeps it full.
#[tokio::test]
async fn a_notification_that_cannot_be_sent_is_no_fault_of_the_event() {
    if major(server()) < 17 {
        return;
    }
    let server = Server::start(ServerOptions::new().set("max_notify_queue_pages", "64")).unwrap();
    let client = connect(&server.create_database("projection_notifies").unwrap()).await;
    client.batch_execute(super::HANDLERS).await.unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION tell(e eventcore.events) RETURNS void LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM see(e), pg_notify('told', ''); END $$",
        )
        .await
        .unwrap();
    let idle = connect(&server.url("projection_notifies")).await;
    idle.batch_execute("LISTEN noise").await.unwrap();
    idle.batch_execute("BEGIN; SELECT 1").await.unwrap();
    for bytes in [7900, 1] {
        let fill = format!(
            "DO $$ BEGIN LOOP PERFORM pg_notify('noise', repeat('x', {bytes})); COMMIT; END LOOP; END $$"
        );
        client.batch_execute(&fill).await.unwrap_err();
    }
    super::create(
        &client,
        "p",
        "tell",
        ", on_error => 'skip', retry_limit => 0",
    )
    .await;
    write(&client, "a", 1..=1).await;
    let failed = "SELECT last_sqlstate = '54000' AND attempts = 0 FROM eventcore.stat_projections";
    until(&client, &format!("SELECT coalesce(({failed}), false)")).await;
    idle.batch_execute("COMMIT").await.unwrap();
    wait(&client, "p").await.unwrap();
    assert_eq!(super::seen(&client).await, [1]);
    let row = "SELECT skipped FROM eventcore.stat_projections";
    assert_eq!(value::<i64>(&client, row).await, 0);
}
