//! `eventcore_save_snapshot` and `eventcore_load_snapshot`: states that clients save in order to
//! read less.

use serde_json::{Value, json};

use crate::support::{Client, append, database, event, failure, value};

async fn save(
    client: &Client,
    streams: &str,
    versions: &str,
    state: i32,
) -> Result<bool, tokio_postgres::Error> {
    let sql = format!(
        "SELECT eventcore_save_snapshot('sum', '{streams}', '{versions}', to_jsonb({state}))"
    );
    client.query_one(&sql, &[]).await.map(|row| row.get(0))
}

async fn load(client: &Client, streams: &str) -> Option<(Vec<i64>, Value)> {
    let sql = format!("SELECT versions, state FROM eventcore_load_snapshot('sum', '{streams}')");
    let row = client.query_opt(&sql, &[]).await.unwrap()?;
    Some((row.get(0), row.get(1)))
}

/// A database with two streams, of two events and of one.
async fn two_streams(name: &str) -> Client {
    let (_, client) = database(name).await;
    let events = json!([event("a", 1), event("a", 2), event("b", 3)]);
    append(&client, &[("a", Some(0)), ("b", Some(0))], events)
        .await
        .unwrap();
    client
}

#[tokio::test]
async fn a_snapshot_is_found_by_its_name_and_its_streams_in_their_order() {
    let client = two_streams("snapshots").await;
    assert_eq!(load(&client, "{a,b}").await, None);
    assert!(save(&client, "{a,b}", "{2,0}", 7).await.unwrap());
    assert!(save(&client, "{b,a}", "{1,1}", 8).await.unwrap());
    assert_eq!(load(&client, "{a,b}").await, Some((vec![2, 0], json!(7))));
    assert_eq!(load(&client, "{b,a}").await, Some((vec![1, 1], json!(8))));
    assert_eq!(load(&client, "{a}").await, None);
    let other = "SELECT count(*) FROM eventcore_load_snapshot('other', '{a,b}')";
    assert_eq!(value::<i64>(&client, other).await, 0);
}

#[tokio::test]
async fn an_older_snapshot_does_not_take_the_place_of_a_newer_one() {
    let client = two_streams("snapshots_newer").await;
    for (versions, is_kept) in [
        ("{1,0}", true),
        ("{0,1}", false),
        ("{1,0}", true),
        ("{2,1}", true),
        ("{1,1}", false),
    ] {
        assert_eq!(
            save(&client, "{a,b}", versions, 1).await.unwrap(),
            is_kept,
            "{versions}"
        );
    }
    assert_eq!(load(&client, "{a,b}").await.unwrap().0, [2, 1]);
}

#[tokio::test]
async fn a_snapshot_that_is_ahead_of_its_stream_gives_way() {
    let client = two_streams("snapshots_ahead").await;
    save(&client, "{a,b}", "{2,1}", 1).await.unwrap();
    let forge = "UPDATE eventcore.snapshots SET versions = '{2,9}'";
    client.batch_execute(forge).await.unwrap();
    assert!(save(&client, "{a,b}", "{1,1}", 2).await.unwrap());
    assert_eq!(load(&client, "{a,b}").await, Some((vec![1, 1], json!(2))));
}

#[tokio::test]
async fn bad_arguments_of_a_snapshot_are_named_and_nothing_is_kept() {
    let client = two_streams("snapshots_bad").await;
    for (call, argument, index) in [
        ("'', '{a}', '{1}', '1'", "name", json!(null)),
        ("NULL, '{a}', '{1}', '1'", "name", json!(null)),
        ("'n', NULL, '{1}', '1'", "streams", json!(null)),
        ("'n', '{}', '{}', '1'", "streams", json!(null)),
        ("'n', '{a,a}', '{1,1}', '1'", "streams", json!(1)),
        ("'n', '{a}', NULL, '1'", "versions", json!(null)),
        ("'n', '{a}', '{1,1}', '1'", "versions", json!(null)),
        ("'n', '{a,b}', '{{1},{1}}', '1'", "versions", json!(null)),
        ("'n', '{a,b}', '{1,NULL}', '1'", "versions", json!(1)),
        ("'n', '{a,b}', '{1,-1}', '1'", "versions", json!(1)),
        ("'n', '{a,b}', '{1,2}', '1'", "versions", json!(1)),
        ("'n', '{a}', '{1}', NULL", "state", json!(null)),
    ] {
        let sql = format!("SELECT eventcore_save_snapshot({call})");
        let detail = failure(client.query(&sql, &[]).await).assert_ours("SE003");
        assert_eq!(detail["argument"], argument, "{call}: {detail}");
        assert_eq!(detail["index"], index, "{call}: {detail}");
    }
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.snapshots").await,
        0
    );
}

/// Longer than an index entry may be.
#[tokio::test]
async fn a_thousand_streams_with_long_names_have_a_snapshot() {
    let (_, client) = database("snapshots_long").await;
    let streams = "(SELECT array_agg(repeat('x', 240) || n) FROM generate_series(1, 1000) n)";
    let sql = format!(
        "SELECT eventcore_save_snapshot('n', {streams}, array_fill(0::bigint, '{{1000}}'), '1')"
    );
    client.batch_execute(&sql).await.unwrap();
    let sql = format!("SELECT cardinality(versions) FROM eventcore_load_snapshot('n', {streams})");
    assert_eq!(value::<i32>(&client, &sql).await, 1_000);
}

#[tokio::test]
async fn snapshots_are_left_out_of_a_dump() {
    let (_, client) = database("snapshots_dump").await;
    let dumped = "SELECT count(*) FROM pg_extension, unnest(extconfig) c
                   WHERE c = 'eventcore.snapshots'::regclass";
    assert_eq!(value::<i64>(&client, dumped).await, 0);
}
