//! `eventcore_checkpoint` and `eventcore_advance_checkpoint`: how far a projection of a client has come.

use crate::support::{Client, connect, database, failure, until_waiting, value};

async fn advance(client: &Client, from: i64, to: i64) -> Result<(), tokio_postgres::Error> {
    let sql = "SELECT eventcore_advance_checkpoint('p', $1, $2)";
    client.execute(sql, &[&from, &to]).await.map(drop)
}

/// Reserves positions with an append that is rolled back: positions beyond those belong to another
/// history.
async fn reserve(client: &Client) {
    let append =
        "BEGIN; SELECT eventcore_append('{a}', '{0}', '{a}', '{A}', '{1}', NULL); ROLLBACK";
    client.batch_execute(append).await.unwrap();
}

async fn checkpoint(client: &Client) -> i64 {
    value(client, "SELECT eventcore_checkpoint('p')").await
}

#[tokio::test]
async fn a_checkpoint_moves_only_from_where_it_is() {
    let (_, client) = database("checkpoint").await;
    reserve(&client).await;
    assert_eq!(checkpoint(&client).await, 0);
    let detail = failure(advance(&client, 5, 6).await).assert_ours("SE008");
    assert_eq!(
        detail,
        serde_json::json!({"projection": "p", "expected": 5, "actual": 0})
    );
    advance(&client, 0, 10).await.unwrap();
    advance(&client, 10, 25).await.unwrap();
    for from in [0, 10, 24] {
        let detail = failure(advance(&client, from, 30).await).assert_ours("SE008");
        assert_eq!(detail["actual"], 25);
    }
    // Back, in order to rebuild it.
    advance(&client, 25, 0).await.unwrap();
    advance(&client, 0, 3).await.unwrap();
    assert_eq!(checkpoint(&client).await, 3);
}

#[tokio::test]
async fn of_two_that_run_the_same_projection_one_waits_and_then_fails() {
    let (url, client) = database("checkpoint_race").await;
    reserve(&client).await;
    for (from, to) in [(0, 7), (7, 9)] {
        client.batch_execute("BEGIN").await.unwrap();
        advance(&client, from, to).await.unwrap();
        let other = connect(&url).await;
        let second = tokio::spawn(async move { advance(&other, from, to).await });
        until_waiting(&client, 1).await;
        client.batch_execute("COMMIT").await.unwrap();
        failure(second.await.unwrap()).assert_ours("SE008");
    }
}

#[tokio::test]
async fn bad_arguments_of_checkpoints_are_named() {
    let (_, client) = database("checkpoint_bad").await;
    for (call, argument) in [
        ("eventcore_checkpoint(NULL)", "projection"),
        ("eventcore_checkpoint('')", "projection"),
        ("eventcore_advance_checkpoint('p', -1, 1)", "from_position"),
        (
            "eventcore_advance_checkpoint('p', NULL, 1)",
            "from_position",
        ),
        ("eventcore_advance_checkpoint('p', 0, -1)", "to_position"),
        ("eventcore_advance_checkpoint('p', 0, NULL)", "to_position"),
    ] {
        let detail =
            failure(client.batch_execute(&format!("SELECT {call}")).await).assert_ours("SE003");
        assert_eq!(detail["argument"], argument, "{call}");
    }
}
