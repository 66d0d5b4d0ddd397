//! Workers: tasks that repeat the same until the time is over, and their results.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;

/// The results of the workers.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Commands a second.
    pub commands: f64,
    /// The CPU time of this process per command, in microseconds. It does not include the server,
    /// and other programs hardly affect it.
    pub cpu: f64,
}

/// Runs workers until the time is over.
///
/// # Errors
/// The first error of a worker.
pub async fn rate<F>(
    workers: usize,
    slice: Duration,
    worker: impl Fn(usize, Instant) -> F,
) -> Result<Rate>
where
    F: Future<Output = Result<u64>> + Send + 'static,
{
    let (start, cpu) = (Instant::now(), cpu());
    let workers = (0..workers).map(|number| tokio::spawn(worker(number, start + slice)));
    let ended = try_join_all(workers.collect::<Vec<JoinHandle<_>>>()).await?;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), self::cpu() - cpu);
    let commands = ended.into_iter().sum::<Result<u64>>()?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let commands = commands as f64;
    Ok(Rate {
        commands: commands / seconds,
        cpu: cpu / commands,
    })
}

/// The CPU time of this process, in microseconds.
fn cpu() -> f64 {
    let taken = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let (seconds, nanoseconds) = (taken.tv_sec as f64, taken.tv_nsec as f64);
    seconds * 1e6 + nanoseconds / 1e3
}
