//! The same work for all sides: a worker deposits ten times into an account, then opens the next, so
//! that a command reads 4.5 events on average.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;

pub(crate) const EACH: u64 = 10;
pub(crate) const EVENT_TYPE: &str = "Deposited";
pub(crate) const REFERENCE: &str =
    "invoice 2026-11-001, for the account-000123 from account-000456";

/// The next account, which nobody has used.
pub(crate) fn account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("account-{:09}", NEXT.fetch_add(1, Relaxed))
}

/// What workers got done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Commands a second.
    pub(crate) commands: f64,
    /// What a command took of this process, in microseconds of CPU. The server's share is not in it,
    /// and others on the machine hardly disturb it.
    pub(crate) cpu: f64,
}

/// Has workers run until the time is over.
pub(crate) async fn rate<F>(
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

/// What this process has taken, in microseconds.
fn cpu() -> f64 {
    let taken = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let (seconds, nanoseconds) = (taken.tv_sec as f64, taken.tv_nsec as f64);
    seconds * 1e6 + nanoseconds / 1e3
}
