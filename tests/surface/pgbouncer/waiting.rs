//! A waiter keeps one of the pool's connections, is woken as without a pooler, and delays others at
//! most until its wait is over.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{NoTls, Row};
use uuid::Uuid;

use super::{PATIENCE, POLL, Pooled, in_time, poll, pooled, query, rows, subscribe, write};
use crate::support::{Client, connect};

impl Pooled {
    /// Waits until this many processes of the server wait in a poll.
    async fn wait_until_polls(&self, wanted: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type = 'client backend'
                      AND wait_event = 'Extension'";
        let started = Instant::now();
        loop {
            let polls: i64 = query(&self.direct, sql, &[]).await.unwrap()[0].get(0);
            if polls == wanted {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{polls} wait");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until this many clients wait for one of the server's connections.
    async fn wait_until_queued(&self, wanted: usize) {
        let admin = connect(&self.pooler.url("pgbouncer")).await;
        let started = Instant::now();
        loop {
            let pools = admin.simple_query("SHOW POOLS").await.unwrap();
            let queued: usize = rows(&pools)
                .map(|pool| pool.get("cl_waiting").unwrap().parse::<usize>().unwrap())
                .sum();
            if queued == wanted {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{queued} are queued");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// `CALL eventcore_wait` in autocommit.
async fn wait(client: &Client, after: i64, timeout: &str) -> i64 {
    let call = format!("CALL eventcore_wait({after}, '{timeout}')");
    let answer = in_time(&call, client.simple_query(&call)).await.unwrap();
    let row = rows(&answer).next().unwrap();
    row.get(0).unwrap().parse().unwrap()
}

/// Starts the work on a client of its own and gives it time to begin waiting: a tenth of the second
/// after which it would look by itself.
async fn start<T, F>(pooled: &Pooled, work: impl FnOnce(Client) -> F) -> JoinHandle<(T, Instant)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let work = work(pooled.client().await);
    let started = tokio::spawn(async move { (work.await, Instant::now()) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    started
}

/// At least half of them, whatever else the machine does.
fn assert_most_are_quick(mut elapsed: Vec<Duration>) {
    elapsed.sort_unstable();
    let median = elapsed[elapsed.len() / 2];
    assert!(median < Duration::from_millis(400), "{elapsed:?}");
}

#[tokio::test]
async fn wait_is_woken_and_gives_up_in_time() {
    let pooled = pooled("pgbouncer_wait", 2).await;
    let writer = pooled.client().await;
    let mut position = write(&writer).await;
    // The notifier starts with the first event.
    wait(&writer, position, "500 ms").await;
    let mut elapsed = Vec::new();
    for round in 0..7 {
        let after = position;
        let waiting = start(&pooled, |waiter| async move {
            wait(&waiter, after, "20 s").await
        })
        .await;
        position = write(if round % 2 == 0 {
            &writer
        } else {
            &pooled.direct
        })
        .await;
        let committed = Instant::now();
        let (safe, woken) = waiting.await.unwrap();
        assert_eq!(safe, position);
        elapsed.push(woken.saturating_duration_since(committed));
    }
    assert_most_are_quick(elapsed);

    let started = Instant::now();
    assert_eq!(wait(&writer, position, "300 ms").await, position);
    let elapsed = started.elapsed();
    assert!(
        elapsed >= Duration::from_millis(300) && elapsed < Duration::from_millis(900),
        "{elapsed:?}"
    );
}

#[tokio::test]
async fn a_poll_that_waits_is_woken_by_appends_through_the_pooler_and_past_it() {
    let pooled = pooled("pgbouncer_poll", 2).await;
    let writer = pooled.client().await;
    subscribe(&writer).await;
    let first = write(&writer).await;
    let polled = poll(&writer, "5 s").await;
    assert_eq!(polled[0].get::<_, i64>("position"), first);
    acknowledge(&writer, &polled[0]).await;
    for past_it in [false, true] {
        let mut elapsed = Vec::new();
        for _ in 0..5 {
            let waiting = start(&pooled, |waiter| async move { poll(&waiter, "20 s").await }).await;
            let position = write(if past_it { &pooled.direct } else { &writer }).await;
            let committed = Instant::now();
            let (polled, woken) = waiting.await.unwrap();
            assert_eq!(polled.len(), 1);
            assert_eq!(polled[0].get::<_, i64>("position"), position);
            elapsed.push(woken.saturating_duration_since(committed));
            acknowledge(&writer, &polled[0]).await;
        }
        assert_most_are_quick(elapsed);
    }
}

async fn acknowledge(client: &Client, polled: &Row) {
    let lease: Uuid = polled.get("lease_id");
    let sql = "SELECT eventcore_ack('all', $1)";
    query(client, sql, &[(&lease, Type::UUID)]).await.unwrap();
}

/// Waiting polls keep the pool's connections, and later clients queue. The queue moves on when the
/// polls time out.
#[tokio::test]
async fn more_waiting_polls_than_connections_delay_others_but_do_not_block_them() {
    let pooled = pooled("pgbouncer_full", 2).await;
    subscribe(&pooled.direct).await;
    let mut polls = Vec::new();
    for _ in 0..3 {
        let client = pooled.client().await;
        polls.push(tokio::spawn(
            async move { poll(&client, "4 s").await.len() },
        ));
    }
    pooled.wait_until_queued(1).await;
    let writer = pooled.client().await;
    let writing = tokio::spawn(async move { write(&writer).await });
    pooled.wait_until_queued(2).await;
    assert!(!writing.is_finished());

    in_time("the append", writing).await.unwrap();
    let mut delivered = 0;
    for poll in polls {
        delivered += in_time("a poll", poll).await.unwrap();
    }
    assert_eq!(delivered, 1);
}

/// PgBouncer then closes the connection to the server. A waiting process of the server does not
/// notice that unless it is told to check.
#[tokio::test]
async fn a_client_that_goes_away_while_it_polls_gets_no_lease_where_the_server_looks_after_clients()
{
    let pooled = pooled("pgbouncer_gone", 2).await;
    subscribe(&pooled.direct).await;
    let sql = "ALTER DATABASE pgbouncer_gone SET client_connection_check_interval = '200 ms'";
    pooled.direct.batch_execute(sql).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&pooled.url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let polling =
        tokio::spawn(async move { client.query_typed(POLL, &[(&"1 h", Type::TEXT)]).await });
    pooled.wait_until_polls(1).await;
    connection.abort();
    assert!(polling.await.unwrap().is_err());
    pooled.wait_until_polls(0).await;

    let position = write(&pooled.direct).await;
    let polled = poll(&pooled.client().await, "5 s").await;
    assert_eq!(polled[0].get::<_, i64>("position"), position);
}
