//! [`Progress`]: how far the workers are, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::text::count;

/// How often to show the progress.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);

/// Returns to the start of the line and clears it.
const CLEAR: &str = "\r\u{1b}[K";

/// A line on standard error that is overwritten repeatedly and removed at the end. Nothing is shown
/// if standard error is not a terminal.
pub(crate) struct Progress {
    total: usize,
    terminal: bool,
}

impl Progress {
    /// Of this many transfers.
    pub(crate) fn of(total: usize) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { total, terminal }
    }

    /// Shows how many transfers a worker has taken.
    pub(crate) fn show(&self, taken: usize) {
        if self.terminal {
            // A closed terminal is no reason to stop.
            let _ = write!(io::stderr(), "{CLEAR}{}", self.line(taken));
        }
    }

    /// Each worker counts one more transfer when there are none left.
    fn line(&self, taken: usize) -> String {
        let (taken, total) = (taken.min(self.total), self.total);
        format!("{} of {} transfers", count(taken), count(total))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_transfers_are_shown_than_there_are() {
        let progress = Progress::of(10_000);
        assert_eq!(progress.line(1_234), "1,234 of 10,000 transfers");
        assert_eq!(progress.line(10_008), "10,000 of 10,000 transfers");
    }
}
