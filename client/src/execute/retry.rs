//! [`RetryPolicy`]: how often to try again, and after how long.

use std::time::Duration;

use uuid::Uuid;

use crate::store::{EventStore, StoreError};

/// How many times to try, and how long to wait before each further attempt.
///
/// The longest wait grows by a factor up to a cap. The actual wait is a random time up to the
/// longest. This spreads commands that compete for the same stream ("full jitter",
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    attempts: u32,
    base: Duration,
    multiplier: f64,
    cap: Duration,
    jitter: bool,
}

impl RetryPolicy {
    /// Tries once.
    pub fn none() -> Self {
        Self::default().attempts(1)
    }

    /// Tries at most this many times, including the first time; at least once. By default 12.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The longest wait before the second attempt. By default 5 ms.
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The factor from one wait to the next; at least 1. By default 2.
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = if multiplier.is_finite() {
            multiplier.max(1.0)
        } else {
            1.0
        };
        self
    }

    /// The longest wait. By default 1 s.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Whether to wait a random time up to the longest, instead of the longest. By default true.
    #[must_use]
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// Whether there is more than one attempt.
    #[cfg(feature = "postgres")]
    pub(crate) fn tries_again(&self) -> bool {
        self.attempts > 1
    }

    /// The wait after this many failed attempts, or `None` if there is no further attempt.
    pub(crate) fn wait_after(&self, failed: u32) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let longest = self.longest_wait(failed);
        Some(if self.jitter {
            longest.mul_f64(fraction())
        } else {
            longest
        })
    }

    /// Calls a store, again while it fails temporarily. A version conflict is an answer, not a
    /// failure.
    pub(crate) async fn persist<T, F>(
        &self,
        store: &impl EventStore,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failed = 0;
        loop {
            match attempt().await {
                Err(error) if !error.is_version_conflict() => {
                    failed += 1;
                    self.back_off(store, error, failed).await?;
                }
                answer => return answer,
            }
        }
    }

    /// Waits before the next attempt; returns the error if there is none.
    pub(crate) async fn back_off(
        &self,
        store: &impl EventStore,
        error: StoreError,
        failed: u32,
    ) -> Result<(), StoreError> {
        match self.wait_after(failed) {
            Some(wait) if error.is_retriable() => {
                store.sleep(wait).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn longest_wait(&self, failed: u32) -> Duration {
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.multiplier.powi(exponent);
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(self.cap)
            .min(self.cap)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 12,
            base: Duration::from_millis(5),
            multiplier: 2.0,
            cap: Duration::from_secs(1),
            jitter: true,
        }
    }
}

/// A number from 0 to 1, taken from the random bits of a UUIDv4, so that no other random generator
/// is needed.
fn fraction() -> f64 {
    let (_, random) = Uuid::new_v4().as_u64_pair();
    f64::from(random as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_the_multiplier_up_to_the_cap_and_end_with_the_attempts() {
        let policy = RetryPolicy::default()
            .attempts(5)
            .base(Duration::from_millis(10))
            .multiplier(3.0)
            .cap(Duration::from_millis(100))
            .jitter(false);
        let waits: Vec<_> = (1..=5).map(|failed| policy.wait_after(failed)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(waits, [ms(10), ms(30), ms(90), ms(100), None]);
    }

    #[test]
    fn jitter_never_exceeds_the_wait_and_overflow_becomes_the_cap() {
        let policy = RetryPolicy::default().attempts(u32::MAX);
        for failed in [1, 2, 50, 5_000, u32::MAX - 1] {
            let wait = policy.wait_after(failed).unwrap();
            assert!(wait <= policy.longest_wait(failed) && wait <= Duration::from_secs(1));
        }
        assert_eq!(RetryPolicy::none().wait_after(1), None);
        assert_eq!(RetryPolicy::default().multiplier(f64::NAN).multiplier, 1.0);
    }
}
