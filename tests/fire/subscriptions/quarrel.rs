//! Consumers that fail, give back, are too late, roll back, and are cancelled and terminated by
//! others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::{DONE, NOTES, WRITTEN, check, count};
use crate::support::{PATIENCE, Random, Session, append_one, connect, database, reconnect};

const CONSUMERS: usize = 6;
const APPENDS: usize = 600;
const STREAMS: usize = 5;

/// Works until told that all is done; reconnects when its session is gone.
async fn consume(url: String, number: usize, over: Arc<AtomicBool>) {
    let mut random = Random::new();
    let mut session = reconnect(&url, "quarrel").await;
    while !over.load(SeqCst) {
        let Err(error) = turn(&mut session, number, &mut random).await else {
            continue;
        };
        match error.code().map(|code| code.code()) {
            // Cancelled, and another consumer has the lease.
            Some("57014" | "SE008") => {}
            Some("57P01") | None => session = reconnect(&url, "quarrel").await,
            Some(_) => panic!("{error:?}"),
        }
    }
}

/// One poll, and what happens to its events.
async fn turn(session: &mut Session, number: usize, random: &mut Random) -> Result<(), Error> {
    let most = 1 + random.below(6) as i64;
    let sql = "SELECT lease_id, position, stream_id, version
                 FROM eventcore_poll('s', $1, $2, '100 ms')";
    let name = number.to_string();
    let deliveries = if random.below(10) == 0 {
        // A poll that is rolled back, in a savepoint of a transaction that continues.
        let mut outer = session.transaction().await?;
        let inner = outer.savepoint("poll").await?;
        inner.query(sql, &[&name, &most]).await?;
        inner.rollback().await?;
        let deliveries = outer.query(sql, &[&name, &most]).await?;
        outer.commit().await?;
        deliveries
    } else {
        session.query(sql, &[&name, &most]).await?
    };
    for delivery in &deliveries {
        note(session, number, delivery).await?;
        match random.below(12) {
            0 => return give_back(session, delivery, "retry", random).await,
            1 => return give_back(session, delivery, "release", random).await,
            // Appears to have died.
            2 => return Ok(()),
            3 => late(random).await,
            _ => {}
        }
        let give_up = random.below(8) == 0;
        acknowledge(session, delivery, give_up).await?;
        if give_up {
            // The next event may be of the same stream.
            return Ok(());
        }
    }
    Ok(())
}

/// Longer than the lease.
async fn late(random: &mut Random) {
    tokio::time::sleep(Duration::from_millis(60 + random.below(60))).await;
}

async fn note(session: &Session, number: usize, delivery: &Row) -> Result<(), Error> {
    let sql = "INSERT INTO given (consumer, lease_id, position) VALUES ($1, $2, $3)";
    let lease: Uuid = delivery.get("lease_id");
    let position: i64 = delivery.get("position");
    session
        .execute(sql, &[&number.to_string(), &lease, &position])
        .await
        .map(drop)
}

async fn acknowledge(session: &mut Session, delivery: &Row, give_up: bool) -> Result<(), Error> {
    let lease: Uuid = delivery.get("lease_id");
    let position: i64 = delivery.get("position");
    let stream: String = delivery.get("stream_id");
    let version: i64 = delivery.get("version");
    let work = session.transaction().await?;
    // First, so that an event that another consumer is handling is not handled twice.
    let sql = "SELECT eventcore_ack('s', $1, ARRAY[$2::bigint])";
    work.execute(sql, &[&lease, &position]).await?;
    let sql = "INSERT INTO done (position, stream_id, version) VALUES ($1, $2, $3)";
    work.execute(sql, &[&position, &stream, &version]).await?;
    if give_up {
        work.rollback().await
    } else {
        work.commit().await
    }
}

async fn give_back(
    session: &Session,
    delivery: &Row,
    action: &str,
    random: &mut Random,
) -> Result<(), Error> {
    let lease: Uuid = delivery.get("lease_id");
    let position: i64 = delivery.get("position");
    let delay = if action == "retry" {
        random.below(40)
    } else {
        0
    };
    let sql = format!(
        "SELECT * FROM eventcore_nack('s', $1, ARRAY[$2::bigint], '{action}', 'no luck', '{delay} ms')"
    );
    session.execute(&sql, &[&lease, &position]).await.map(drop)
}

/// Cancels and terminates random sessions.
async fn disturb(url: String, over: Arc<AtomicBool>) {
    let mut random = Random::new();
    let session = connect(&url).await;
    while !over.load(SeqCst) {
        let function = ["pg_cancel_backend", "pg_terminate_backend"][random.below(2) as usize];
        let sql = format!(
            "SELECT {function}(pid) FROM (
                 SELECT pid FROM pg_stat_activity
                  WHERE application_name = 'quarrel' AND datname = current_database()
                  ORDER BY random() LIMIT 1) victim"
        );
        session.execute(&sql, &[]).await.unwrap();
        random.nap(150_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_fail_in_every_way_do_each_event_once_and_in_order() {
    let url = database("subscription_quarrel");
    let client = connect(&url).await;
    client.batch_execute(NOTES).await.unwrap();
    let create =
        "SELECT eventcore_create_subscription('s', lease => '50 ms', retry_limit => 1000000)";
    client.batch_execute(create).await.unwrap();

    let over = Arc::new(AtomicBool::new(false));
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|number| tokio::spawn(consume(url.clone(), number, Arc::clone(&over))))
        .collect();
    let disturber = tokio::spawn(disturb(url.clone(), Arc::clone(&over)));
    for round in 0..APPENDS {
        let stream = format!("q{}", round * 3 % STREAMS);
        append_one(&*client, &stream).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let start = Instant::now();
    while count(&client, DONE).await < count(&client, WRITTEN).await {
        assert!(start.elapsed() < 4 * PATIENCE, "they do not come to an end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    over.store(true, SeqCst);
    for consumer in consumers {
        consumer.await.unwrap();
    }
    disturber.await.unwrap();
    check(&client).await;
}
