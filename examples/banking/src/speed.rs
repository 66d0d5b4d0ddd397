//! [`Speed`]: how fast the workers were.

use std::time::Duration;

use crate::outcome::Outcome;

/// How fast the workers were, without lines that were not sent to the store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    /// How many transfers were executed, accepted or not.
    pub(crate) executed: usize,
    pub(crate) per_second: f64,
    /// Half of the transfers took no longer, retries included.
    pub(crate) p50: Duration,
    /// 99 of 100 transfers took no longer, retries included.
    pub(crate) p99: Duration,
}

impl Speed {
    /// The speed of these transfers, which took this long together.
    pub(crate) fn of(outcomes: &[Outcome], took: Duration) -> Self {
        let mut times: Vec<Duration> = outcomes
            .iter()
            .filter_map(|outcome| Some(outcome.work?.took))
            .collect();
        times.sort_unstable();
        Self {
            executed: times.len(),
            per_second: times.len() as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE),
            p50: percentile(&times, 50),
            p99: percentile(&times, 99),
        }
    }
}

/// The smallest of the sorted times that is not exceeded by this many of 100 (nearest rank).
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let ms = Duration::from_millis;
        let times: Vec<Duration> = (1..=200).map(ms).collect();
        assert_eq!(
            (percentile(&times, 50), percentile(&times, 99)),
            (ms(100), ms(198))
        );
        assert_eq!(percentile(&times[..1], 99), ms(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
