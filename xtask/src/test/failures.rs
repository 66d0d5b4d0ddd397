//! What test runners say about the tests that failed, kept so that it can be said again at the end: a
//! full run prints thousands of lines after a failure.

/// How much is kept of all failures, in lines.
const MOST: usize = 200;

/// What was kept so far.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    lines: Vec<String>,
    inside: bool,
}

impl Failures {
    /// Reads a line of a Rust runner: its details are between the first `failures:` and the result.
    pub(crate) fn line(&mut self, line: &str) {
        match line {
            "failures:" => self.inside = true,
            _ if line.contains("test result: ") => self.inside = false,
            _ if line.starts_with("error: test failed, to rerun pass") => self.keep(line),
            _ => self.keep_inside(line),
        }
    }

    /// Reads a line of Node's runner: its details are between `✖ failing tests:` and its end.
    pub(crate) fn line_of_node(&mut self, line: &str) {
        if line == "✖ failing tests:" {
            self.inside = true;
        }
        self.keep_inside(line);
    }

    /// The runner has ended.
    pub(crate) fn end(&mut self) {
        self.inside = false;
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    fn keep_inside(&mut self, line: &str) {
        if self.inside {
            self.keep(line);
        }
    }

    fn keep(&mut self, line: &str) {
        if !line.trim().is_empty() && self.lines.len() < MOST {
            self.lines.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_details_of_a_rust_test_are_kept() {
        let mut failures = Failures::default();
        for line in [
            "test one ... ok",
            "failures:",
            "",
            "---- two stdout ----",
            "left: 1",
            "failures:",
            "    two",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored",
            "error: test failed, to rerun pass `-p a --test b`",
            "test three ... ok",
        ] {
            failures.line(line);
        }
        assert_eq!(
            failures.lines(),
            [
                "---- two stdout ----",
                "left: 1",
                "    two",
                "error: test failed, to rerun pass `-p a --test b`"
            ]
        );
    }

    #[test]
    fn the_details_of_a_test_in_node_are_kept_until_it_ends() {
        let mut failures = Failures::default();
        failures.line_of_node("ℹ fail 1");
        failures.line_of_node("✖ failing tests:");
        failures.line_of_node("test at access.test.js:42:3");
        failures.end();
        failures.line("test next ... ok");
        assert_eq!(
            failures.lines(),
            ["✖ failing tests:", "test at access.test.js:42:3"]
        );
    }

    #[test]
    fn no_more_is_kept_than_somebody_reads() {
        let mut failures = Failures::default();
        failures.line("failures:");
        for _ in 0..1_000 {
            failures.line("many");
        }
        assert_eq!(failures.lines().len(), MOST);
    }
}
