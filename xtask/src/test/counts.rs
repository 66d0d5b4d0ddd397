//! The numbers of passed and failed tests, summed over the output of all test runners.

use std::fmt;

/// The sum so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Whether the current runner has reported a failure of its own.
    reported: bool,
}

impl Counts {
    /// Reads a line of a runner's output: `test result: ok. 5 passed; 0 failed; …`.
    ///
    /// A runner that crashes prints no such line; then cargo's message counts as one failure.
    pub(crate) fn line(&mut self, line: &str) {
        if line.starts_with("error: test failed, to rerun pass") {
            self.failed += u64::from(!self.reported);
            self.reported = false;
        }
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let number = |word: &str| {
            let (before, _) = result.split_once(word)?;
            before.rsplit(' ').next()?.parse::<u64>().ok()
        };
        self.passed += number(" passed").unwrap_or(0);
        let failed = number(" failed").unwrap_or(0);
        self.failed += failed;
        self.reported = failed > 0;
    }

    /// Takes in a line of Node's test runner: `ℹ pass 21`.
    pub(crate) fn line_of_node(&mut self, line: &str) {
        let number = |word: &str| line.strip_prefix(word)?.trim().parse::<u64>().ok();
        self.passed += number("ℹ pass ").unwrap_or(0);
        self.failed += number("ℹ fail ").unwrap_or(0);
    }

    /// A part that fails before its tests ran, or that has no tests, counts as one failure.
    pub(crate) fn at_least_one_failure_since(&mut self, before: Self) {
        if self.failed == before.failed {
            self.failed += 1;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_all_runners_are_summed() {
        let mut counts = Counts::default();
        counts.line("test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.line("test a_result ... ok");
        counts.line("test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured");
        assert_eq!(counts.to_string(), "17 passed, 3 failed");
    }

    #[test]
    fn the_summary_of_node_is_added() {
        let mut counts = Counts::default();
        counts.line_of_node("ℹ tests 22");
        counts.line_of_node("ℹ pass 21");
        counts.line_of_node("ℹ fail 1");
        assert_eq!(counts.to_string(), "21 passed, 1 failed");
    }

    #[test]
    fn a_runner_that_crashes_counts_as_one_failure() {
        let mut counts = Counts::default();
        counts.line("test result: FAILED. 2 passed; 3 failed; 0 ignored");
        counts.line("error: test failed, to rerun pass `-p one --test reports`");
        counts.line("error: test failed, to rerun pass `-p one --test crashes`");
        assert_eq!(counts.to_string(), "2 passed, 4 failed");
    }

    #[test]
    fn a_part_that_fails_without_a_failing_test_counts_as_one() {
        let before = Counts {
            passed: 4,
            failed: 1,
            ..Counts::default()
        };
        let mut counts = before;
        counts.at_least_one_failure_since(before);
        assert_eq!(counts.to_string(), "4 passed, 2 failed");
        counts.at_least_one_failure_since(before);
        assert_eq!(counts.to_string(), "4 passed, 2 failed");
    }
}
