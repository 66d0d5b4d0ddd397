//! The workers: they share the lines of the file and execute the transfers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use eventcore::{EventStore, ExecuteOptions, RetryPolicy, execute_with};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::progress::{PERIOD, Progress};
use crate::transfer_file::Line;

/// The results of the workers.
#[derive(Debug)]
pub(crate) struct Run {
    /// One for each line, in the order of the file.
    pub(crate) outcomes: Vec<Outcome>,
    /// From the first transfer to the last.
    pub(crate) took: Duration,
}

/// Executes all transfers with this many workers. Each worker takes the next free line.
pub(crate) async fn run<S>(store: &S, lines: &Arc<[Line]>, workers: usize) -> Result<Run, Failure>
where
    S: EventStore + Clone + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        tasks.spawn(work(store.clone(), Arc::clone(lines), Arc::clone(&next)));
    }
    let mut outcomes = Vec::with_capacity(lines.len());
    let progress = Progress::of(lines.len());
    let mut ticks = interval(PERIOD);
    loop {
        tokio::select! {
            done = tasks.join_next() => match done {
                Some(done) => outcomes.append(&mut done??),
                None => break,
            },
            _ = ticks.tick() => progress.show(next.load(Ordering::Relaxed)),
        }
    }
    drop(progress);
    let took = start.elapsed();
    outcomes.sort_by_key(|outcome| outcome.line);
    Ok(Run { outcomes, took })
}

async fn work<S: EventStore>(
    store: S,
    lines: Arc<[Line]>,
    next: Arc<AtomicUsize>,
) -> Result<Vec<Outcome>, Failure> {
    // No worker gives up because others are faster: a conflict is no reason to reject a transfer.
    let options = ExecuteOptions::new().retry(RetryPolicy::default().attempts(100));
    let mut outcomes = Vec::new();
    while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
        outcomes.push(match &line.content {
            Err(wrong) => Outcome::malformed(line.number, *wrong),
            Ok(transfer) => {
                let start = Instant::now();
                let execution = execute_with(&store, transfer, &options).await;
                Outcome::executed(line.number, execution, start.elapsed())?
            }
        });
    }
    Ok(outcomes)
}
