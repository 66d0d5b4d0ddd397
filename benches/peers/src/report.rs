//! The line of JSON that a measurement ends with.

use std::time::Duration;

use serde::Serialize;

use crate::LoadArguments;
use crate::load::Tally;

/// What was measured. Its fields are described in README.md.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    peer: &'static str,
    version: &'static str,
    work: String,
    clients: u32,
    seconds: f64,
    operations: usize,
    events: u64,
    conflicts: u64,
    failed: u64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Report {
    pub(crate) fn new(
        peer: &'static str,
        version: &'static str,
        work: String,
        load: LoadArguments,
        tally: &Tally,
    ) -> Self {
        let seconds = tally.measured.as_secs_f64();
        let operations = tally.latencies.len();
        #[expect(clippy::cast_precision_loss, reason = "counts here are small")]
        let per_second = operations as f64 / seconds;
        Self {
            peer,
            version,
            work,
            clients: load.clients,
            seconds,
            operations,
            events: tally.events,
            conflicts: tally.conflicts,
            failed: tally.failed,
            per_second: rounded(per_second),
            p50_ms: milliseconds(percentile(&tally.latencies, 50)),
            p99_ms: milliseconds(percentile(&tally.latencies, 99)),
        }
    }
}

/// The smallest of the sorted values that `percent` percent of them do not exceed; zero if there
/// are none.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

/// Three digits after the point: more would only look exact.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&hundred, 50), Duration::from_millis(50));
        assert_eq!(percentile(&hundred, 99), Duration::from_millis(99));
        assert_eq!(percentile(&hundred[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
