//! Concurrent executions that save a state of the same stream: none waits for another, and none
//! fails.

use serde_json::json;

use super::{at, chain, fill, folded, kept, link};
use crate::commands::execute;
use crate::support::{connect, until_waiting, value};

/// Both have read the stream and may save its state, because the stream is only checked.
#[tokio::test]
async fn two_that_only_check_a_stream_do_not_wait_for_each_other() {
    let (url, client) = chain("beside_checked", ", combine => 'mix'").await;
    fill(&client, "s", 300).await;
    let (one, two) = (connect(&url).await, connect(&url).await);
    for (session, to) in [(&one, "one"), (&two, "two")] {
        session
            .batch_execute("SET statement_timeout = '20s'; BEGIN")
            .await
            .unwrap();
        let input = json!({"streams": to, "checked": "s", "to": [to]});
        execute(session, "chain", input).await.unwrap();
    }
    two.batch_execute("COMMIT").await.unwrap();
    assert_eq!(kept(&client).await, []);
    one.batch_execute("COMMIT").await.unwrap();
    assert_eq!(kept(&client).await, [at("s", 300)]);
    assert_eq!(folded(&client, &["one", "s"]).await, 1);
}

#[tokio::test]
async fn a_row_that_another_session_has_locked_is_skipped() {
    let (url, client) = chain("beside_locked", "").await;
    fill(&client, "s", 300).await;
    link(&client, &["s"]).await;
    for lock in [
        "DELETE FROM eventcore.command_states",
        "UPDATE eventcore.command_states SET kept_at = now()",
        "SELECT FROM eventcore.command_states FOR UPDATE",
        "SELECT FROM eventcore.command_states FOR KEY SHARE",
    ] {
        fill(&client, "s", 300).await;
        let other = connect(&url).await;
        other.batch_execute("BEGIN").await.unwrap();
        other.batch_execute(lock).await.unwrap();
        client
            .batch_execute("SET statement_timeout = '20s'")
            .await
            .unwrap();
        assert!(folded(&client, &["s"]).await > 300, "{lock}");
        other.batch_execute("ROLLBACK").await.unwrap();
        assert!(folded(&client, &["s"]).await > 300, "{lock}");
        assert!(folded(&client, &["s"]).await < 3, "{lock}");
    }
}

#[tokio::test]
async fn many_sessions_keep_states_of_the_same_streams_and_all_are_executed() {
    let (url, client) = chain("beside_many", ", combine => 'mix', snapshot_every => 1").await;
    let streams = ["a", "b", "c"];
    let sessions = (0..4).map(|number| {
        let url = url.clone();
        tokio::spawn(async move {
            let session = connect(&url).await;
            for turn in 0..60 {
                let (one, two) = (streams[(number + turn) % 3], streams[turn % 3]);
                let level = ["READ COMMITTED", "REPEATABLE READ"][turn % 2];
                let checks =
                    json!({"streams": format!("own-{number}"), "checked": [one, two], "to": []});
                let writes = json!({"streams": [one, two], "checked": "c", "to": [one]});
                let input = if turn % 3 == 0 { writes } else { checks };
                session
                    .batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))
                    .await
                    .unwrap();
                let done = execute(&session, "chain", input).await;
                match done {
                    Err(moved) if turn % 2 == 1 => _ = moved.assert_ours("SE001"),
                    done => assert_eq!(done.unwrap().attempts, 1),
                }
                session.batch_execute("COMMIT").await.unwrap();
            }
        })
    });
    let sessions: Vec<_> = sessions.collect();
    let discard = "SELECT eventcore_discard_command_states('chain')";
    while !sessions.iter().all(tokio::task::JoinHandle::is_finished) {
        value::<bool>(&client, discard).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for session in sessions {
        session.await.unwrap();
    }
    link(&client, &["a", "b", "c"]).await;
    assert!(folded(&client, &["a", "b", "c"]).await < 3);
}

#[tokio::test]
async fn where_the_table_is_locked_commands_do_without() {
    let (url, client) = chain("beside_table", "").await;
    fill(&client, "s", 300).await;
    link(&client, &["s"]).await;
    let other = connect(&url).await;
    let lock = "BEGIN; TRUNCATE eventcore.command_states";
    other.batch_execute(lock).await.unwrap();
    let timeout = "SET statement_timeout = '20s'";
    client.batch_execute(timeout).await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 301);
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 2);
}

/// A REINDEX that starts between reading the states and saving one waits for both.
#[tokio::test]
async fn a_reindex_of_the_states_waits_for_an_execution() {
    let (url, client) = chain("beside_reindex", "").await;
    fill(&client, "s", 300).await;
    client
        .batch_execute(
            "CREATE OR REPLACE FUNCTION link(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
             SELECT pg_advisory_lock(7)",
        )
        .await
        .unwrap();
    let (one, two) = (connect(&url).await, connect(&url).await);
    let input = json!({"streams": "s", "checked": []});
    let executing = tokio::spawn(async move { execute(&one, "chain", input).await });
    until_waiting(&client, 1).await;
    let reindexing = tokio::spawn(async move {
        two.batch_execute("REINDEX TABLE eventcore.command_states")
            .await
    });
    until_waiting(&client, 2).await;
    client
        .batch_execute("SELECT pg_advisory_unlock(7)")
        .await
        .unwrap();
    executing.await.unwrap().unwrap();
    reindexing.await.unwrap().unwrap();
    assert_eq!(kept(&client).await, [at("s", 300)]);
}
