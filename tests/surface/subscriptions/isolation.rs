//! A database whose transactions keep their snapshot by default: single statements work as elsewhere.

use super::{ack, create, drain, lease, nack, parked, poll, positions, try_poll, write};
use crate::support::{Client, connect, database, failure, until_waiting, value};

const LEVELS: [&str; 2] = ["repeatable read", "serializable"];

/// A database with this level as its default, and a session in it.
async fn database_with(name: &str, level: &str) -> (String, Client) {
    let name = format!("{name}_{}", level.replace(' ', "_"));
    let (url, client) = database(&name).await;
    let set = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'");
    client.batch_execute(&set).await.unwrap();
    let client = connect(&url).await;
    let shown: String = value(&client, "SHOW transaction_isolation").await;
    assert_eq!(shown, level);
    (url, client)
}

#[tokio::test]
async fn a_subscription_is_used_by_single_statements_whatever_the_default_isolation_level_is() {
    for level in LEVELS {
        let (_, client) = database_with("sub_isolated", level).await;
        assert!(create(&client, "s", "").await);
        let w = write(&client, &["a", "b", "a", "c"]).await;
        let first = poll(&client, "s", "c", 10).await;
        assert_eq!(positions(&first), w);
        let id = lease(&first);
        ack(&client, "s", id, Some(&w[3..])).await.unwrap();
        let extend = format!("SELECT eventcore_extend_lease('s', '{id}')");
        client.batch_execute(&extend).await.unwrap();
        nack(&client, "s", id, &w[1..2], "park", "0").await.unwrap();
        nack(&client, "s", id, &w[..1], "retry", "0").await.unwrap();
        assert_eq!(parked(&client, "s").await, w[1..2]);
        for call in [
            "eventcore_replay_parked('s')",
            "eventcore_pause_subscription('s')",
            "eventcore_resume_subscription('s')",
            "eventcore_advance_checkpoint('p', 0, 1)",
        ] {
            let sql = format!("SELECT {call}");
            client.batch_execute(&sql).await.unwrap();
        }
        let mut rest = drain(&client, "s").await;
        rest.sort_unstable();
        assert_eq!(rest, w[..3]);
        let reset = "SELECT eventcore_reset_subscription('s', 0)";
        client.batch_execute(reset).await.unwrap();
        assert_eq!(drain(&client, "s").await, w);
        let drop = "SELECT eventcore_drop_subscription('s')";
        client.batch_execute(drop).await.unwrap();
    }
}

#[tokio::test]
async fn a_statement_that_waited_for_another_sees_what_that_one_did() {
    for level in LEVELS {
        let (url, client) = database_with("sub_isolated_wait", level).await;
        create(&client, "s", "").await;
        let w = write(&client, &["a", "b"]).await;
        let other = connect(&url).await;
        other
            .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await
            .unwrap();
        assert_eq!(positions(&poll(&other, "s", "other", 1).await), w[..1]);
        let waiting = tokio::spawn(async move { try_poll(&client, "s", "c", 10, "0").await });
        until_waiting(&other, 1).await;
        other.batch_execute("COMMIT").await.unwrap();
        let got = waiting.await.unwrap().unwrap();
        assert_eq!(positions(&got), w[1..]);
    }
}

#[tokio::test]
async fn a_poll_that_waits_sees_what_is_appended_meanwhile() {
    for level in LEVELS {
        let (url, client) = database_with("sub_isolated_poll", level).await;
        create(&client, "s", "").await;
        let waiting = tokio::spawn(async move { try_poll(&client, "s", "c", 10, "60 s").await });
        let other = connect(&url).await;
        let w = write(&other, &["a"]).await;
        let got = waiting.await.unwrap().unwrap();
        assert_eq!(positions(&got), w);
    }
}

#[tokio::test]
async fn a_projection_is_used_by_single_statements_whatever_the_default_isolation_level_is() {
    for level in LEVELS {
        let (_, client) = database_with("projection_isolated", level).await;
        let table = "CREATE TABLE seen (position bigint);
            CREATE FUNCTION see(event eventcore.events) RETURNS void LANGUAGE sql
                AS 'INSERT INTO seen VALUES (event.position)'";
        client.batch_execute(table).await.unwrap();
        for call in [
            "create_projection('p', 'see', tables => '{seen}')",
            "pause_projection('p')",
            "resume_projection('p')",
            "rebuild_projection('p')",
            "replay_projection_parked('p')",
            "discard_projection_parked('p')",
            "drop_projection('p')",
        ] {
            let sql = format!("SELECT eventcore_{call}");
            client
                .batch_execute(&sql)
                .await
                .unwrap_or_else(|error| panic!("{level}: {sql}: {error:?}"));
        }
    }
}

#[tokio::test]
async fn in_a_transaction_block_the_error_names_what_cannot_be_used_and_how_it_can() {
    let (_, client) = database_with("isolation_block", "repeatable read").await;
    create(&client, "s", "").await;
    for (call, what) in [
        ("eventcore_poll('s', 'c')", "a subscription "),
        ("eventcore_pause_subscription('s')", "a subscription "),
        ("eventcore_pause_projection('p')", "a projection "),
    ] {
        client.batch_execute("BEGIN").await.unwrap();
        let failed = failure(client.batch_execute(&format!("SELECT {call}")).await);
        client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(failed.assert_ours("SE009")["reason"], "isolation_level");
        assert!(failed.message.starts_with(what), "{failed:?}");
        assert!(
            failed.hint.contains("BEGIN ISOLATION LEVEL READ COMMITTED"),
            "{failed:?}"
        );
    }
    client
        .batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await
        .unwrap();
    assert!(poll(&client, "s", "c", 1).await.is_empty());
    client.batch_execute("COMMIT").await.unwrap();
}
