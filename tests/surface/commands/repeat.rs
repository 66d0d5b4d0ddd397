//! `idempotency_key`: a call that is made again returns the result of the first.

use serde_json::json;

use super::{Executed, bank, execute_with};
use crate::support::{connect, stream, until_waiting};

const INPUT: fn() -> serde_json::Value = || json!({"from": "a", "to": "b", "cents": 30});

#[tokio::test]
async fn the_same_key_executes_once_and_returns_the_first_result() {
    let (_, client) = bank("repeat_key").await;
    let key = ", idempotency_key => 'k-1'";
    let first = execute_with(&client, "transfer", INPUT(), key)
        .await
        .unwrap();
    execute_with(&client, "transfer", INPUT(), ", idempotency_key => 'k-2'")
        .await
        .unwrap();
    let again = execute_with(&client, "transfer", json!({"something": "else"}), key)
        .await
        .unwrap();
    let expected = Executed {
        repeated: true,
        attempts: 0,
        ..first
    };
    assert_eq!(again, expected);
    assert_eq!(stream(&client, "a").await.len(), 3);
}

#[tokio::test]
async fn what_was_rejected_or_rolled_back_is_executed_again() {
    let (_, mut client) = bank("repeat_rejected").await;
    let key = ", idempotency_key => 'k'";
    let too_much = json!({"from": "a", "to": "b", "cents": 1000});
    let rejected = execute_with(&client, "transfer", too_much, key)
        .await
        .unwrap_err();
    rejected.assert_ours("SE006");
    let transaction = client.transaction().await.unwrap();
    execute_with(&transaction, "transfer", INPUT(), key)
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    let done = execute_with(&client, "transfer", INPUT(), key)
        .await
        .unwrap();
    assert!(!done.repeated);
    assert_eq!(stream(&client, "a").await.len(), 2);
}

/// Two sessions with one key: the second waits for the first, and gets its result.
#[tokio::test]
async fn of_calls_with_one_key_at_the_same_time_one_is_executed() {
    let (url, mut client) = bank("repeat_race").await;
    let transaction = client.transaction().await.unwrap();
    let key = ", idempotency_key => 'k'";
    let first = execute_with(&transaction, "transfer", INPUT(), key)
        .await
        .unwrap();
    let (other, watcher) = (connect(&url).await, connect(&url).await);
    let second = tokio::spawn(async move { execute_with(&other, "transfer", INPUT(), key).await });
    until_waiting(&watcher, 1).await;
    transaction.commit().await.unwrap();
    let second = second.await.unwrap().unwrap();
    assert!(second.repeated);
    assert_eq!(second.positions, first.positions);
    assert_eq!(stream(&client, "a").await.len(), 2);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let (_, client) = bank("repeat_bad").await;
    for key in ["''", "repeat('k', 256)", "E'a\\nb'"] {
        let more = format!(", idempotency_key => {key}");
        let refused = execute_with(&client, "transfer", INPUT(), &more)
            .await
            .unwrap_err();
        assert_eq!(refused.assert_ours("SE003")["argument"], "idempotency_key");
    }
}
