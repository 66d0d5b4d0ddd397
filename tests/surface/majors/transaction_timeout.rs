//! PostgreSQL 17 has brought `transaction_timeout`, which ends the connection. Whatever the session was
//! doing, nothing is left behind that holds others up.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_postgres::Client;

use super::is_at_least;
use crate::support::{append, connect, database, event, failure, stream, value};

/// SQLSTATE `transaction_timeout`.
const ENDED: &str = "25P04";
/// What a call would wait if nothing ended it.
const LONG: Duration = Duration::from_secs(60);

/// A session whose transactions end soon.
async fn limited(url: &str) -> Client {
    let client = connect(url).await;
    let limit = "SET transaction_timeout = '300 ms'";
    client.batch_execute(limit).await.unwrap();
    client
}

/// Runs a call that waits; the limit ends it.
async fn is_ended(url: &str, call: &str) {
    let start = Instant::now();
    let ended = failure(limited(url).await.query(call, &[]).await);
    assert_eq!(ended.code, ENDED, "{ended:?}");
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_append_whose_transaction_takes_too_long_never_was_and_holds_no_reader_back() {
    if !is_at_least(17) {
        return;
    }
    let (url, client) = database("majors_limit_append").await;
    let idle = limited(&url).await;
    idle.batch_execute("BEGIN").await.unwrap();
    // The server may be so slow that the limit comes first.
    let _ = append(&idle, &[("a", Some(0))], json!([event("a", 1)])).await;
    let start = Instant::now();
    while !idle.is_closed() {
        assert!(start.elapsed() < LONG, "the session is not ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let done = append(&client, &[("a", Some(0))], json!([event("a", 2)])).await;
    let last = done.unwrap().positions.unwrap().1;
    assert_eq!(stream(&client, "a").await.len(), 1);
    let safe = "SELECT eventcore_safe_position()";
    assert_eq!(value::<i64>(&client, safe).await, last);
}

#[tokio::test]
async fn a_session_that_waits_too_long_is_ended_and_others_are_woken() {
    if !is_at_least(17) {
        return;
    }
    let (url, client) = database("majors_limit_wait").await;
    is_ended(&url, "CALL eventcore_wait(0, '60 s')").await;
    let other = connect(&url).await;
    let start = Instant::now();
    let wait = other.query_one("CALL eventcore_wait(0, '60 s')", &[]);
    let events = json!([event("a", 1)]);
    let (woken, done) = tokio::join!(wait, append(&client, &[("a", Some(0))], events));
    let last = done.unwrap().positions.unwrap().1;
    assert_eq!(woken.unwrap().get::<_, i64>(0), last);
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_poll_that_waits_too_long_is_ended_and_leaves_no_lease() {
    if !is_at_least(17) {
        return;
    }
    let (url, client) = database("majors_limit_poll").await;
    let create = "SELECT eventcore_create_subscription('s', lease => '1 hour')";
    client.batch_execute(create).await.unwrap();
    is_ended(&url, "SELECT * FROM eventcore_poll('s', 'one', 10, '60 s')").await;
    append(&client, &[("a", Some(0))], json!([event("a", 1)]))
        .await
        .unwrap();
    let polled = "SELECT count(*) FROM eventcore_poll('s', 'two', 10)";
    assert_eq!(value::<i64>(&client, polled).await, 1);
}
