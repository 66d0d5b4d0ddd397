//! A process manager whose runners are killed, one every second for half a minute.

mod facts;

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use eventcore::{PostgresEventStore, execute};
use eventcore_harness::Server;
use tokio_postgres::Client;

use self::facts::{CENTS, Fact, Note, account, item};
use crate::support::{PATIENCE, connect, options};

const RUNNERS: usize = 4;
const ACCOUNTS: u64 = 3;
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

/// The balance of each account: not enough for all its orders.
const DEPOSIT: u64 = 100 * CENTS;

/// A process that is killed at the latest when the test ends.
struct Runner(Child);

impl Runner {
    fn start(url: &str, number: usize) -> Self {
        let program = env!("CARGO_BIN_EXE_fulfilment");
        let process = Command::new(program)
            .args([url, &format!("runner-{number}")])
            .spawn();
        Self(process.unwrap())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // SIGKILL.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn note(store: &PostgresEventStore, stream: eventcore::StreamId, fact: Fact) {
    execute(store, &Note { stream, fact }).await.unwrap();
}

/// Places orders as fast as a busy shop until the time is over; returns how many.
async fn place(store: PostgresEventStore, until: Instant) -> u64 {
    let mut orders = 0;
    while Instant::now() < until {
        let placed = Fact::Placed {
            item: orders % 2,
            account: orders % ACCOUNTS,
            by_invoice: orders % 5 == 0,
        };
        let order = format!("order-{orders}").parse().unwrap();
        note(&store, order, placed).await;
        orders += 1;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    orders
}

async fn count(client: &Client, sql: &str) -> u64 {
    let row = client.query_typed_one(sql, &[]).await.unwrap();
    u64::try_from(row.get::<_, i64>(0)).unwrap()
}

const CLOSED: &str =
    "SELECT count(*) FROM eventcore.events WHERE event_type IN ('Shipped', 'Cancelled')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runners_killed_every_second_fulfil_or_undo_each_order_exactly_once() {
    let server = Server::start(options().without_fsync()).unwrap();
    let url = server.create_database("fulfilment").unwrap();
    let client = connect(&url).await;
    let store = PostgresEventStore::connect(&url).await.unwrap();
    for number in 0..ACCOUNTS {
        let deposit = Fact::Deposited { cents: DEPOSIT };
        note(&store, account(number), deposit).await;
    }

    let until = Instant::now() + HALF_A_MINUTE;
    let placing = tokio::spawn(place(store.clone(), until));
    let mut runners: Vec<_> = (0..RUNNERS)
        .map(|number| Runner::start(&url, number))
        .collect();
    let mut kills = 0;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let victim = kills * 3 % RUNNERS;
        runners[victim] = Runner::start(&url, victim);
        kills += 1;
    }
    let orders = placing.await.unwrap();
    let start = Instant::now();
    while count(&client, CLOSED).await < orders {
        assert!(start.elapsed() < 2 * PATIENCE, "not all orders are closed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Long enough for a repeated effect to appear.
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(runners);
    check(&client, orders).await;
    println!("process manager: {orders} orders, {kills} runners killed");
    print_figures(&client).await;
}

/// Each order is reserved once, and is either charged and shipped once, or released and cancelled
/// once. The balances show exactly the charges.
async fn check(client: &Client, orders: u64) {
    let each = "SELECT count(*) FROM (
            SELECT coalesce(payload->>'order', stream_id) AS of,
                   string_agg(event_type, ' ' ORDER BY position) AS facts
              FROM eventcore.events
             WHERE event_type IN ('Placed', 'Reserved', 'Released', 'Charged', 'Shipped', 'Cancelled')
             GROUP BY 1) o
         WHERE facts IN ('Placed Reserved Charged Shipped', 'Placed Reserved Released Cancelled')";
    assert_eq!(count(client, each).await, orders);
    for number in 0..ACCOUNTS {
        let charged = format!(
            "SELECT coalesce(sum((payload->>'cents')::bigint), 0)::bigint FROM eventcore.events
              WHERE stream_id = '{}' AND event_type = 'Charged'",
            account(number)
        );
        let charged = count(client, &charged).await;
        assert!(charged <= DEPOSIT, "{charged} cents");
        let orders = format!(
            "SELECT count(*) FROM eventcore.events s JOIN eventcore.events p USING (stream_id)
              WHERE s.event_type = 'Shipped' AND p.event_type = 'Placed'
                AND (p.payload->>'account')::bigint = {number}"
        );
        assert_eq!(charged, count(client, &orders).await * CENTS);
    }
    let invoices =
        "SELECT count(*) FROM eventcore.events s JOIN eventcore.events p USING (stream_id)
          WHERE s.event_type = 'Cancelled' AND (p.payload->>'by_invoice')::boolean";
    assert_eq!(count(client, invoices).await, orders.div_ceil(5));
    let parked = "SELECT count(*) FROM eventcore.parked";
    assert_eq!(count(client, parked).await, 0, "parked");
    let twice = "SELECT count(*) FROM (
            SELECT 1 FROM eventcore.events WHERE event_type = 'eventcore.process.accepted'
             GROUP BY payload->'trigger'->>'event_id' HAVING count(*) > 1) t";
    assert_eq!(count(client, twice).await, 0, "triggers taken twice");
    assert_eq!(
        count(
            client,
            &format!(
                "SELECT count(DISTINCT stream_id) FROM eventcore.events WHERE stream_id IN ('{}', '{}')",
                item(0),
                item(1)
            )
        )
        .await,
        2
    );
}

async fn print_figures(client: &Client) {
    let sql = "SELECT event_type, count(*) FROM eventcore.events GROUP BY 1 ORDER BY 1";
    for row in client.query_typed(sql, &[]).await.unwrap() {
        let (name, events): (&str, i64) = (row.get(0), row.get(1));
        println!("  {name}: {events}");
    }
}
