//! P11: many consumers share a subscription while they die, fail, give up and are too late.

mod killed;
mod one_lease;
mod quarrel;

use tokio_postgres::Client;

/// The consumers' records: each event that they receive, and each that they have handled, in the
/// transaction that acknowledges it. Handling an event twice is an error there.
const NOTES: &str = "
    CREATE TABLE given (seq bigserial PRIMARY KEY, consumer text, lease_id uuid, position bigint);
    CREATE TABLE done (seq bigserial, position bigint PRIMARY KEY, stream_id text, version bigint)";

/// The subscription's position.
async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

const WRITTEN: &str = "SELECT count(*) FROM eventcore.events";
const DONE: &str = "SELECT count(*) FROM done";

/// Every event was handled exactly once, in the order of each stream, and nothing is left or
/// parked. All events of one lease were delivered in order.
async fn check(client: &Client) {
    let lost = "SELECT count(*) FROM eventcore.events e
                 WHERE NOT EXISTS (SELECT FROM done d WHERE d.position = e.position)";
    assert_eq!(count(client, lost).await, 0, "events that were not handled");
    assert_eq!(count(client, DONE).await, count(client, WRITTEN).await);
    let disorder = "SELECT count(*) FROM (
                        SELECT version, row_number() OVER (PARTITION BY stream_id ORDER BY seq) AS expected
                          FROM done) d WHERE version <> expected";
    assert_eq!(count(client, disorder).await, 0, "done in another order");
    let given = "SELECT count(*) FROM (
                     SELECT position, lag(position) OVER (PARTITION BY lease_id ORDER BY seq) AS before
                       FROM given) g WHERE position <= before";
    assert_eq!(count(client, given).await, 0, "given in another order");
    for table in ["deliveries", "parked"] {
        let left = format!("SELECT count(*) FROM eventcore.{table}");
        assert_eq!(count(client, &left).await, 0, "left in {table}");
    }
}
