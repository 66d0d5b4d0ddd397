//! Sessions that share one lease: they acknowledge its events alone, in groups, all at once, twice, with
//! old snapshots, give them back, and roll back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio_postgres::Error;
use uuid::Uuid;

use super::count;
use crate::support::{PATIENCE, Random, Session, append_one, connect, database, reconnect};

const WORKERS: usize = 6;
const APPENDS: usize = 600;

/// How many events the acknowledgements of a transaction that committed were.
const NOTES: &str = "CREATE TABLE done (events bigint NOT NULL)";
const DONE: &str = "SELECT coalesce(sum(events), 0)::bigint FROM done";
const WRITTEN: &str = "SELECT count(*) FROM eventcore.events";

async fn work(url: String, over: Arc<AtomicBool>) {
    let mut random = Random::new();
    let mut session = reconnect(&url, "one lease").await;
    while !over.load(SeqCst) {
        let Err(error) = turn(&mut session, &mut random).await else {
            continue;
        };
        match error.code().map(|code| code.code()) {
            // Another one was faster, at an older snapshot too; or they wait for each other.
            Some("SE008" | "40001" | "40P01") => {}
            _ => panic!("{error:?}"),
        }
    }
}

/// Polls now and then, and else takes part in whatever lease there is.
async fn turn(session: &mut Session, random: &mut Random) -> Result<(), Error> {
    if random.below(6) == 0 {
        let most = 2 + random.below(12) as i64;
        let poll = "SELECT FROM eventcore_poll('s', 'c', $1, '20 ms')";
        session.query(poll, &[&most]).await?;
    }
    let any = "SELECT l.lease_id, array_agg(e.position ORDER BY random())
                 FROM (SELECT lease_id FROM eventcore.leases ORDER BY random() LIMIT 1) l
                 JOIN eventcore.deliveries d USING (lease_id)
                CROSS JOIN unnest(coalesce(d.positions, ARRAY[d.position])) e (position)
                GROUP BY l.lease_id";
    let Some(row) = session.query_opt(any, &[]).await? else {
        return Ok(());
    };
    let (lease, mut held): (Uuid, Vec<i64>) = (row.get(0), row.get(1));
    let level = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"][random.below(3) as usize];
    let transaction = session.transaction().await?;
    let begin = format!("SET TRANSACTION ISOLATION LEVEL {level}; SELECT count(*) FROM done");
    transaction.batch_execute(&begin).await?;
    for _ in 0..=random.below(2) {
        random.nap(2_000).await;
        held.rotate_left(1);
        let most = held.len().min(1 + random.below(3) as usize);
        let positions = match random.below(5) {
            0 => None,
            1 => Some(&held[..]),
            _ => Some(&held[..most]),
        };
        let acknowledged = transaction
            .query_one("SELECT eventcore_ack('s', $1, $2)", &[&lease, &positions])
            .await?;
        let events: i64 = acknowledged.get(0);
        transaction
            .execute("INSERT INTO done VALUES ($1)", &[&events])
            .await?;
    }
    if random.below(4) == 0 {
        return transaction.rollback().await;
    }
    if level == "READ COMMITTED" && random.below(5) == 0 {
        let release = "SELECT FROM eventcore_nack('s', $1, $2, 'release')";
        transaction.query(release, &[&lease, &&held[..1]]).await?;
    }
    transaction.commit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_share_a_lease_acknowledge_each_event_once() {
    let url = database("subscription_one_lease");
    let client = connect(&url).await;
    client.batch_execute(NOTES).await.unwrap();
    let create =
        "SELECT eventcore_create_subscription('s', lease => '300 ms', retry_limit => 1000000)";
    client.batch_execute(create).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| tokio::spawn(work(url.clone(), Arc::clone(&over))))
        .collect();
    for round in 0..APPENDS {
        append_one(&*client, &format!("o{}", round * 7 % 60)).await;
    }
    let start = Instant::now();
    while count(&client, DONE).await < count(&client, WRITTEN).await {
        assert!(start.elapsed() < 4 * PATIENCE, "they do not come to an end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    over.store(true, SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(count(&client, DONE).await, count(&client, WRITTEN).await);
    let held =
        "SELECT leased + waiting + parked + streams_behind FROM eventcore.stat_subscriptions";
    assert_eq!(count(&client, held).await, 0);
    let drop = "SELECT eventcore_drop_subscription('s')";
    client.batch_execute(drop).await.unwrap();
    let left = "SELECT (SELECT count(*) FROM eventcore.deliveries) + (SELECT count(*) FROM eventcore.acknowledged)
                     + (SELECT count(*) FROM eventcore.leases) + (SELECT count(*) FROM eventcore.backlogs)";
    assert_eq!(count(&client, left).await, 0);
}
