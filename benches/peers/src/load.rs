//! A closed loop of load: every client begins its next operation when the last one is acknowledged.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::LoadArguments;

/// Until connections are open, statements prepared and caches filled.
const WARM_UP: Duration = Duration::from_secs(2);

/// One client of a peer.
pub(crate) trait Client: Send + 'static {
    /// Does one operation and waits for its acknowledgement.
    ///
    /// # Errors
    /// Anything but a conflict; it ends the measurement.
    fn operate(&mut self) -> impl Future<Output = Result<Outcome>> + Send;
}

/// The outcome of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// It is acknowledged.
    Done {
        /// Events written.
        events: u64,
        /// Attempts that were refused before it.
        conflicts: u64,
    },
    /// The peer gave up after this many conflicts.
    GivenUp {
        /// Attempts that were refused.
        conflicts: u64,
    },
}

/// The results of all clients.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How long the measurement took.
    pub(crate) measured: Duration,
    /// The duration of each operation that was acknowledged in that time, in ascending order.
    pub(crate) latencies: Vec<Duration>,
    /// Events of these operations.
    pub(crate) events: u64,
    /// Attempts that were refused in that time.
    pub(crate) conflicts: u64,
    /// Operations that the peer gave up in that time.
    pub(crate) failed: u64,
    /// All events acknowledged, before and after that time too.
    pub(crate) written: u64,
}

impl Tally {
    fn record(&mut self, outcome: Outcome, latency: Duration) {
        match outcome {
            Outcome::Done { events, conflicts } => {
                self.latencies.push(latency);
                self.events += events;
                self.conflicts += conflicts;
            }
            Outcome::GivenUp { conflicts } => {
                self.conflicts += conflicts;
                self.failed += 1;
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.events += other.events;
        self.conflicts += other.conflicts;
        self.failed += other.failed;
        self.written += other.written;
    }
}

/// Runs all clients until the time is over. An operation counts if it is acknowledged within that
/// time, whenever it began.
///
/// # Errors
/// The first error of a client, or that nothing was acknowledged.
pub(crate) async fn run<C: Client>(clients: Vec<C>, arguments: LoadArguments) -> Result<Tally> {
    let measured = Duration::from_secs(arguments.seconds.into());
    let begin = Instant::now() + WARM_UP;
    let end = begin + measured;
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(work(client, begin, end));
    }
    let mut tally = Tally {
        measured,
        ..Tally::default()
    };
    while let Some(task) = tasks.join_next().await {
        tally.add(task??);
    }
    if tally.latencies.is_empty() {
        bail!("nothing was acknowledged in {measured:?}");
    }
    tally.latencies.sort_unstable();
    Ok(tally)
}

async fn work(mut client: impl Client, begin: Instant, end: Instant) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        let start = Instant::now();
        if start >= end {
            return Ok(tally);
        }
        let outcome = client.operate().await?;
        let finish = Instant::now();
        if let Outcome::Done { events, .. } = outcome {
            tally.written += events;
        }
        if (begin..end).contains(&finish) {
            tally.record(outcome, finish - start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers after a millisecond; every other time it reports that it has given up.
    struct Alternating(bool);

    impl Client for Alternating {
        async fn operate(&mut self) -> Result<Outcome> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.0 = !self.0;
            Ok(if self.0 {
                Outcome::Done {
                    events: 2,
                    conflicts: 0,
                }
            } else {
                Outcome::GivenUp { conflicts: 5 }
            })
        }
    }

    struct Broken;

    impl Client for Broken {
        async fn operate(&mut self) -> Result<Outcome> {
            bail!("the server is gone")
        }
    }

    const LOAD: LoadArguments = LoadArguments {
        clients: 2,
        seconds: 1,
    };

    #[tokio::test]
    async fn what_was_given_up_is_no_operation() {
        let clients = vec![Alternating(false), Alternating(true)];
        let tally = run(clients, LOAD).await.unwrap();
        let operations = u64::try_from(tally.latencies.len()).unwrap();
        assert_eq!(tally.events, 2 * operations);
        assert_eq!(tally.conflicts, 5 * tally.failed);
        assert!(operations.abs_diff(tally.failed) <= 2);
        assert!(tally.written > tally.events, "the warm-up wrote too");
    }

    #[tokio::test]
    async fn an_error_of_one_client_ends_the_measurement() {
        let error = run(vec![Broken], LOAD).await.unwrap_err();
        assert_eq!(error.to_string(), "the server is gone");
    }
}
