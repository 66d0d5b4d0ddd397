//! Durable subscriptions: what each function does. Under fire they are tested in `fire/subscriptions`.

mod as_before;
mod bad_input;
mod checkpoints;
mod clock;
mod control;
mod create;
mod deliver;
mod exactly_once;
mod give_back;
mod gone;
mod isolation;
mod many_parked;
mod many_waiting;
mod packed;
mod parked;
mod set_aside;
mod statistics;
mod steps;
mod wait;

use serde_json::json;
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use crate::support::{Failure, append, event};

/// A delivery as `eventcore_poll` returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Delivery {
    lease: Uuid,
    attempt: i32,
    position: i64,
    stream: String,
    version: i64,
}

/// Appends events to streams, one append for each, unchecked; returns their positions.
async fn write(client: &Client, streams: &[&str]) -> Vec<i64> {
    let mut positions = Vec::new();
    for stream in streams {
        let written = append(client, &[(stream, None)], json!([event(stream, 1)])).await;
        positions.push(written.unwrap().positions.unwrap().0);
    }
    positions
}

/// Creates a subscription; `more` are named arguments such as `, lease => '1 s'`.
async fn create(client: &Client, name: &str, more: &str) -> bool {
    let sql = format!("SELECT eventcore_create_subscription($1{more})");
    client.query_one(&sql, &[&name]).await.unwrap().get(0)
}

async fn try_poll(
    client: &impl GenericClient,
    name: &str,
    consumer: &str,
    count: i64,
    wait: &str,
) -> Result<Vec<Delivery>, Failure> {
    let sql = "SELECT * FROM eventcore_poll($1, $2, $3, $4::text::interval)";
    let rows = client
        .query(sql, &[&name, &consumer, &count, &wait])
        .await?;
    let delivery = |row: &tokio_postgres::Row| Delivery {
        lease: row.get("lease_id"),
        attempt: row.get("attempt"),
        position: row.get("position"),
        stream: row.get("stream_id"),
        version: row.get("version"),
    };
    Ok(rows.iter().map(delivery).collect())
}

async fn poll(
    client: &impl GenericClient,
    name: &str,
    consumer: &str,
    count: i64,
) -> Vec<Delivery> {
    try_poll(client, name, consumer, count, "0").await.unwrap()
}

/// Polls and expects events; all of them have one lease.
#[track_caller]
fn lease(deliveries: &[Delivery]) -> Uuid {
    let lease = deliveries.first().expect("nothing was delivered").lease;
    assert!(deliveries.iter().all(|delivery| delivery.lease == lease));
    lease
}

fn positions(deliveries: &[Delivery]) -> Vec<i64> {
    deliveries
        .iter()
        .map(|delivery| delivery.position)
        .collect()
}

fn attempts(deliveries: &[Delivery]) -> Vec<i32> {
    deliveries.iter().map(|delivery| delivery.attempt).collect()
}

/// Acknowledges positions; `None` for all that the lease holds.
async fn ack(
    client: &impl GenericClient,
    name: &str,
    lease: Uuid,
    positions: Option<&[i64]>,
) -> Result<(), Failure> {
    let sql = "SELECT eventcore_ack($1, $2, $3)";
    client.execute(sql, &[&name, &lease, &positions]).await?;
    Ok(())
}

/// Gives positions back; returns the outcome of each.
async fn nack(
    client: &impl GenericClient,
    name: &str,
    lease: Uuid,
    positions: &[i64],
    action: &str,
    delay: &str,
) -> Result<Vec<(i64, String)>, Failure> {
    let sql = "SELECT * FROM eventcore_nack($1, $2, $3, $4, 'it went wrong', $5::text::interval)";
    let rows = client
        .query(sql, &[&name, &lease, &positions, &action, &delay])
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn outcomes(of: &[(i64, &str)]) -> Vec<(i64, String)> {
    of.iter()
        .map(|(position, outcome)| (*position, (*outcome).to_owned()))
        .collect()
}

/// The positions of the parked events.
async fn parked(client: &Client, name: &str) -> Vec<i64> {
    let rows = client
        .query("SELECT position FROM eventcore_parked($1)", &[&name])
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Polls and acknowledges until nothing is left; returns the positions in the order of delivery.
async fn drain(client: &Client, name: &str) -> Vec<i64> {
    let done = "SELECT read_position = eventcore_safe_position() FROM eventcore.subscriptions
                 WHERE name = $1";
    let mut all = Vec::new();
    loop {
        let deliveries = poll(client, name, "drain", 50).await;
        if !deliveries.is_empty() {
            all.extend(positions(&deliveries));
            ack(client, name, lease(&deliveries), None).await.unwrap();
        } else if client.query_one(done, &[&name]).await.unwrap().get(0) {
            return all;
        }
    }
}
