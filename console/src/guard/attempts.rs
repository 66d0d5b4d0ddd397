//! [`Attempts`]: how often people may try to sign in.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As many failures …
const MOST: usize = 10;

/// … in this time: then nobody can sign in until the first of them is older.
const WITHIN: Duration = Duration::from_secs(60);

/// The times of the last failures. They count for all addresses together, because a guesser may have
/// many. People who have signed in already are not kept out.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<VecDeque<Instant>>);

impl Attempts {
    /// Whether an attempt is allowed now.
    pub(crate) fn are_left(&self) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while failures.front().is_some_and(|at| at.elapsed() > WITHIN) {
            failures.pop_front();
        }
        failures.len() < MOST
    }

    /// An attempt has failed.
    pub(crate) fn fail(&self) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push_back(Instant::now());
    }
}
