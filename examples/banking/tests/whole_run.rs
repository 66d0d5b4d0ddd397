//! The whole example, run as a newcomer would: without PostgreSQL.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::{env, fs, io, process};

const COMMITTED_FILE: &str = include_str!("../transfers.csv");

/// Runs the example, whatever database the environment names.
fn banking(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_banking"))
        .args(arguments)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The number at the end of the line of the report that starts with this label.
fn figure(report: &str, label: &str) -> u64 {
    let line = report
        .lines()
        .find(|line| line.trim_start().starts_with(label))
        .unwrap_or_else(|| panic!("no {label:?} in\n{report}"));
    let number = line.split_whitespace().last().unwrap();
    number.replace(',', "").parse().unwrap()
}

/// A file that is removed at the end of the test.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, text: &str) -> Self {
        let path = env::temp_dir().join(format!("banking-{}-{name}", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn ten_thousand_transfers_in_memory_keep_every_promise() {
    let output = banking(&["--store", "memory"]);
    let report = stdout(&output);
    assert!(output.status.success(), "{report}{}", stderr(&output));
    assert!(!report.contains("FAILED"), "{report}");
    assert_eq!(
        report
            .lines()
            .filter(|line| line.starts_with("  ok  "))
            .count(),
        11,
        "{report}"
    );

    let (accepted, rejected) = (figure(&report, "accepted"), figure(&report, "rejected"));
    assert_eq!(accepted + rejected, 10_000);
    assert_eq!(figure(&report, "unknown account"), 186);
    let overdrafts = figure(&report, "overdraft");
    assert!(overdrafts > 0);
    assert_eq!(rejected, overdrafts + 186 + 176);
    assert_eq!(figure(&report, "events seen"), 200 + 2 * accepted);
}

#[test]
fn one_worker_meets_no_conflict_and_many_workers_change_no_promise() {
    let start: Vec<&str> = COMMITTED_FILE.lines().take(2_001).collect();
    let file = TemporaryFile::new("start.csv", &start.join("\n"));
    let alone = banking(&["--transfers", file.path(), "--workers", "1"]);
    assert!(alone.status.success());
    assert_eq!(figure(&stdout(&alone), "retries"), 0);
    let crowd = banking(&["--transfers", file.path(), "--workers", "64"]);
    assert!(crowd.status.success(), "{}", stderr(&crowd));
}

#[test]
fn a_file_of_ones_own_is_used_and_its_malformed_lines_are_counted() {
    let file = TemporaryFile::new(
        "own.csv",
        "from,to,cents\n001,002,1\n002,001,1\n001,001,1\n001,002,x\n\n001,777,1\n",
    );
    let output = banking(&["--transfers", file.path()]);
    let report = stdout(&output);
    assert!(output.status.success(), "{report}");
    assert_eq!(figure(&report, "accepted"), 2);
    assert_eq!(figure(&report, "malformed: not a whole number"), 1);
    assert_eq!(figure(&report, "malformed: from an account to itself"), 1);
    assert_eq!(figure(&report, "malformed: a column is missing"), 1);
    assert_eq!(figure(&report, "unknown account"), 1);
}

#[test]
fn the_program_reproduces_the_committed_file() {
    let output = banking(&["--generate", "2026"]);
    assert!(output.status.success());
    assert!(stdout(&output) == COMMITTED_FILE);
}

#[test]
fn an_impossible_request_is_explained_and_exits_with_two() {
    let headless = TemporaryFile::new("headless.csv", "001,002,1\n");
    for (arguments, says) in [
        (&["--store", "postgres"][..], "--url"),
        (
            &["--transfers", "/nowhere/t.csv"],
            "cannot read /nowhere/t.csv",
        ),
        (&["--transfers", headless.path()], "from,to,cents"),
        (
            &["--check", "--transfers", headless.path()],
            "from,to,cents",
        ),
        (
            &["--store", "memory", "--url", "postgresql:///bank"],
            "--store memory",
        ),
        (&["--workers", "0"], "--workers"),
        (&["--store", "paper"], "memory"),
    ] {
        let output = banking(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

#[test]
fn a_check_runs_nothing() {
    let output = banking(&["--check", "--workers", "2"]);
    assert!(output.status.success());
    assert_eq!((stdout(&output), stderr(&output)), Default::default());
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for arguments in [&["--generate", "1"][..], &["--workers", "2"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_banking"))
            .args(arguments)
            .env_remove("DATABASE_URL")
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .and_then(Child::wait_with_output)
            .unwrap();
        assert!(output.status.success(), "{arguments:?}");
        assert_eq!(stderr(&output), "");
    }
}
