//! A consumer in a process of its own that the test kills. It polls a subscription, records what it
//! receives, and records what it has handled in the transaction that acknowledges. Arguments: URL,
//! name.

use std::time::Duration;

use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

/// How long it works on an event.
const WORK: Duration = Duration::from_millis(2);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let name = arguments.next().expect("a name");
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    loop {
        let sql =
            "SELECT lease_id, position, stream_id, version FROM eventcore_poll('s', $1, 20, '1 s')";
        for delivery in client.query(sql, &[&name]).await.unwrap() {
            if !handle(&mut client, &name, &delivery).await {
                break;
            }
        }
    }
}

/// `false` if the lease is lost.
async fn handle(client: &mut Client, name: &str, delivery: &Row) -> bool {
    let lease: Uuid = delivery.get("lease_id");
    let position: i64 = delivery.get("position");
    let stream: String = delivery.get("stream_id");
    let version: i64 = delivery.get("version");
    client
        .execute(
            "INSERT INTO given (consumer, lease_id, position) VALUES ($1, $2, $3)",
            &[&name, &lease, &position],
        )
        .await
        .unwrap();
    tokio::time::sleep(WORK).await;
    let work = client.transaction().await.unwrap();
    let done = "INSERT INTO done (position, stream_id, version) VALUES ($1, $2, $3)";
    work.execute(done, &[&position, &stream, &version])
        .await
        .unwrap();
    let acknowledge = "SELECT eventcore_ack('s', $1, ARRAY[$2::bigint])";
    match work.execute(acknowledge, &[&lease, &position]).await {
        Ok(_) => {
            work.commit().await.unwrap();
            true
        }
        Err(error) if error.code().is_some_and(|code| code.code() == "SE008") => {
            work.rollback().await.unwrap();
            false
        }
        Err(error) => panic!("{error:?}"),
    }
}
