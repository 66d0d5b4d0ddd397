//! What PostgreSQL 16 and later have brought that bears on the roles and the processes of projections.

use super::{create, database, seen, server, wait, write};
use crate::support::{connect, failure, major, value};

/// From 16 on, a role can have the rights of another without being able to become it. A role that
/// changes a projection decides what runs in a session of its owner.
#[tokio::test]
async fn a_role_that_may_not_become_the_owner_does_not_change_its_projections() {
    if major(server()) < 16 {
        return;
    }
    let (url, client) = database("projection_set_false").await;
    client
        .batch_execute(
            "CREATE ROLE owner_eve LOGIN IN ROLE eventcore_projector;
             CREATE ROLE heir_of_eve LOGIN;
             GRANT owner_eve TO heir_of_eve WITH INHERIT TRUE, SET FALSE;
             GRANT USAGE ON SCHEMA public TO owner_eve;
             GRANT ALL ON seen, seen_seq_seq TO owner_eve",
        )
        .await
        .unwrap();
    let session = |role: &'static str| {
        let url = &url;
        async move {
            let session = connect(url).await;
            let login = format!("SET SESSION AUTHORIZATION {role}");
            session.batch_execute(&login).await.unwrap();
            session
        }
    };
    let (eve, heir) = (session("owner_eve").await, session("heir_of_eve").await);
    create(&eve, "p", "see", "").await;
    let statements = [
        "SELECT eventcore_pause_projection('p')",
        "SELECT eventcore_resume_projection('p')",
        "SELECT eventcore_drop_projection('p')",
    ];
    for sql in statements {
        let failed = failure(heir.batch_execute(sql).await);
        assert_eq!(failed.code, "42501", "{sql}: {failed:?}");
    }
    let become_eve = "GRANT owner_eve TO heir_of_eve WITH SET TRUE";
    client.batch_execute(become_eve).await.unwrap();
    for sql in statements {
        heir.batch_execute(sql).await.unwrap();
    }
}

/// From 17 on. The limit ends a whole process: a worker would be started again with the same events,
/// and again.
#[tokio::test]
async fn a_limit_for_transactions_does_not_end_a_worker() {
    if major(server()) < 17 {
        return;
    }
    let (_, client) = database("projection_transaction_timeout").await;
    client
        .batch_execute(
            "ALTER DATABASE projection_transaction_timeout SET transaction_timeout = '100ms';
             CREATE FUNCTION see_slowly(e eventcore.events) RETURNS void LANGUAGE sql AS
                 $$ SELECT pg_sleep(0.3); SELECT see(e) $$",
        )
        .await
        .unwrap();
    create(&client, "p", "see_slowly", "").await;
    write(&client, "a", 1..=2).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2]);
    let transactions = "SELECT count(DISTINCT xid) FROM seen";
    assert_eq!(value::<i64>(&client, transactions).await, 1, "one batch");
}

/// From 17 on. It runs for clients; a worker is none.
#[tokio::test]
async fn an_event_trigger_that_lets_nobody_log_in_does_not_stop_a_worker() {
    if major(server()) < 17 {
        return;
    }
    let (url, client) = database("projection_login_trigger").await;
    client
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'nobody logs in'; END $$;
             CREATE EVENT TRIGGER refuse ON login EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    let refused = tokio_postgres::connect(&url, tokio_postgres::NoTls).await;
    assert!(refused.is_err());
    create(&client, "p", "see", "").await;
    write(&client, "a", 1..=2).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2]);
}
