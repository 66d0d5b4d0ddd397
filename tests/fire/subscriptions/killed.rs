//! Consumers that are killed, one every second for a minute.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::{DONE, NOTES, WRITTEN, check, count};
use crate::support::{Append, PATIENCE, connect, database};

const CONSUMERS: usize = 8;
const WRITERS: usize = 4;
const STREAMS: usize = 25;
const MINUTE: Duration = Duration::from_secs(60);

/// A process that is killed at the latest when the test ends.
struct Consumer(Child);

impl Consumer {
    fn start(url: &str, number: usize) -> Self {
        let program = env!("CARGO_BIN_EXE_consumer");
        let process = Command::new(program)
            .args([url, &number.to_string()])
            .spawn();
        Self(process.unwrap())
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Appends to its own streams as fast as a busy shop until the time is over.
async fn write(url: String, number: usize, until: Instant) {
    let client = connect(&url).await;
    let mut next = [0; STREAMS];
    for round in 0.. {
        if Instant::now() > until {
            return;
        }
        let place = round * 7 % STREAMS;
        let stream = format!("w{number}-{place}");
        let append = Append::one(&stream, Some(next[place]));
        append.send(&*client).await.unwrap();
        next[place] += 1;
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_killed_every_second_for_a_minute_lose_and_repeat_nothing() {
    let url = database("subscription_killed");
    let client = connect(&url).await;
    client.batch_execute(NOTES).await.unwrap();
    let create = "SELECT eventcore_create_subscription('s', lease => '2 s')";
    client.batch_execute(create).await.unwrap();

    let until = Instant::now() + MINUTE;
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(url.clone(), number, until)))
        .collect();
    let mut consumers: Vec<_> = (0..CONSUMERS)
        .map(|number| Consumer::start(&url, number))
        .collect();
    for kill in 0..MINUTE.as_secs() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let victim = usize::try_from(kill).unwrap() * 3 % CONSUMERS;
        consumers[victim] = Consumer::start(&url, victim);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let start = Instant::now();
    while count(&client, DONE).await < count(&client, WRITTEN).await {
        assert!(start.elapsed() < PATIENCE, "they do not come to an end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(consumers);
    check(&client).await;
    let killed_at_work = "SELECT count(*) - count(DISTINCT position) FROM given";
    assert!(
        count(&client, killed_at_work).await > 0,
        "no consumer was killed at work"
    );
    assert!(count(&client, WRITTEN).await > 5_000);
}
