//! A client that dies while its poll waits receives nothing.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::{create, poll, positions, write};
use crate::support::{Client, connect, database, value};

/// psql in a long poll; it is killed at the latest when the test ends.
struct Waiting(Child);

impl Waiting {
    async fn start(client: &Client, database: &str) -> Self {
        let psql = eventcore_harness::shared()
            .command("psql")
            .args(["-X", "-d", database, "-c"])
            .arg("SELECT FROM eventcore_poll('s', 'gone', 100, '20 s')")
            .stdout(Stdio::null())
            .spawn();
        let waiting = Self(psql.unwrap());
        until(client, 1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits until this many sessions of psql are in a poll.
async fn until(client: &Client, polls: i64) {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                  AND application_name = 'psql' AND state = 'active'";
    for _ in 0..100 {
        if value::<i64>(client, count).await == polls {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("there are never {polls}");
}

#[tokio::test]
async fn a_client_that_dies_while_its_poll_waits_for_events_gets_none() {
    let (_, client) = database("sub_gone_waiting").await;
    create(&client, "s", ", lease => '1 hour'").await;
    let waiting = Waiting::start(&client, "sub_gone_waiting").await;
    drop(waiting);
    let w = write(&client, &["a"]).await;
    until(&client, 0).await;
    assert_eq!(positions(&poll(&client, "s", "c", 9).await), w);
}

#[tokio::test]
async fn a_client_that_dies_while_its_poll_waits_for_another_poll_gets_none() {
    let (url, client) = database("sub_gone_locked").await;
    create(&client, "s", ", lease => '1 hour'").await;
    let w = write(&client, &["a"]).await;
    let mut holder = connect(&url).await;
    let held = holder.transaction().await.unwrap();
    assert_eq!(poll(&held, "s", "holder", 9).await.len(), 1);
    let waiting = Waiting::start(&client, "sub_gone_locked").await;
    drop(waiting);
    held.rollback().await.unwrap();
    until(&client, 0).await;
    assert_eq!(positions(&poll(&client, "s", "c", 9).await), w);
}
