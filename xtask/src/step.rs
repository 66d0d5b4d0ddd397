//! Steps: what is in progress, for how long, and what to look at when it fails.
//!
//! On a terminal a step is a spinner with the last line of its command's output; elsewhere it is
//! plain lines, with a sign of life every half minute.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::workspace::Workspace;

const HEARTBEAT: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 40;

/// Prints steps to standard error, so that standard output contains only the requested result.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    logs: PathBuf,
    terminal: bool,
}

/// A step in progress. Without [`Step::done`] it has failed.
pub(crate) struct Step<'a> {
    ui: &'a Ui,
    title: String,
    start: Instant,
    last_line: Arc<Mutex<String>>,
    progress: Progress,
}

enum Progress {
    Spinner(ProgressBar),
    Heartbeat {
        stop: mpsc::Sender<()>,
        thread: JoinHandle<()>,
    },
    /// The command's own output is shown.
    Streamed,
}

impl Ui {
    pub(crate) fn new(workspace: &Workspace) -> Result<Self> {
        let logs = workspace.target.join("xtask/logs");
        fs::create_dir_all(&logs).with_context(|| {
            format!(
                "cannot write to {}: is it another user's?",
                workspace.target.display()
            )
        })?;
        Ok(Self {
            logs,
            terminal: io::stderr().is_terminal(),
        })
    }

    pub(crate) fn say(&self, line: &str) {
        tell(line);
    }

    /// Prints the requested result to standard output.
    pub(crate) fn answer(&self, text: &str) {
        print(text);
    }

    /// Whether a person can type a password.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal && io::stdin().is_terminal()
    }

    /// Where the output of the command with this title goes.
    pub(crate) fn log(&self, title: &str) -> PathBuf {
        self.logs.join(format!("{}.log", slug(title)))
    }

    /// Begins a step.
    pub(crate) fn step(&self, title: &str) -> Step<'_> {
        let last_line = Arc::new(Mutex::new(String::new()));
        let progress = if self.terminal {
            let bar = ProgressBar::new_spinner().with_message(title.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            Progress::Spinner(bar)
        } else {
            tell(&format!("==> {title}"));
            heartbeat(Arc::clone(&last_line))
        };
        Step {
            ui: self,
            title: title.to_owned(),
            start: Instant::now(),
            last_line,
            progress,
        }
    }

    /// Runs a command as a step of its own, its output kept in a log.
    pub(crate) fn run(&self, title: &str, command: &mut Command) -> Result<()> {
        let step = self.step(title);
        step.run(command)?;
        step.done();
        Ok(())
    }

    /// Runs a command as a step, with its output on standard output too, line by line to
    /// `each_line`.
    pub(crate) fn stream(
        &self,
        title: &str,
        command: &mut Command,
        mut each_line: impl FnMut(&str),
    ) -> Result<()> {
        tell(&format!("==> {title}"));
        let step = Step {
            ui: self,
            title: title.to_owned(),
            start: Instant::now(),
            last_line: Arc::default(),
            progress: Progress::Streamed,
        };
        let log = step.execute(command, |line| {
            print(line);
            each_line(line);
        })?;
        if let Some(log) = log {
            bail!("{title}: its output is above, and in {}", log.display());
        }
        step.done();
        Ok(())
    }
}

impl Step<'_> {
    /// Runs a command and writes its output to a log.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let mut tail: Vec<String> = Vec::new();
        let log = self.execute(command, |line| {
            if tail.len() == TAIL_LINES {
                tail.remove(0);
            }
            tail.push(line.to_owned());
            self.show(line);
        })?;
        match log {
            None => Ok(()),
            Some(log) => bail!(
                "{}: failed; the end of its output (all of it is in {}):\n{}",
                self.title,
                log.display(),
                tail.join("\n")
            ),
        }
    }

    /// Shows what the step does now.
    pub(crate) fn show(&self, line: &str) {
        let line = line.trim();
        if let Progress::Spinner(bar) = &self.progress {
            bar.set_message(format!("{}: {line}", self.title));
        }
        line.clone_into(
            &mut self
                .last_line
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Ends the step successfully.
    pub(crate) fn done(self) {
        self.done_with("");
    }

    /// Ends the step successfully, with a word about its result.
    pub(crate) fn done_with(mut self, note: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        let note = if note.is_empty() {
            String::new()
        } else {
            format!(" ({note})")
        };
        let title = mem::take(&mut self.title);
        self.end_progress();
        if self.ui.terminal {
            tell(&format!("ok  {title}{note} {seconds:.1} s"));
        } else {
            tell(&format!("    ok {seconds:.1} s{note}"));
        }
    }

    /// Runs a command to its end; returns its log's path if it failed.
    fn execute(
        &self,
        command: &mut Command,
        mut each_line: impl FnMut(&str),
    ) -> Result<Option<PathBuf>> {
        let path = self.ui.log(&self.title);
        let mut log =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(log, "$ {command:?}")?;
        let (reader, writer) = io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .with_context(|| format!("{}: cannot start {program}", self.title))?;
        // The command holds the pipe's other end, so this process would wait without end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            let line = String::from_utf8_lossy(&bytes);
            let line = without_colours(line.trim_end_matches(['\n', '\r']));
            writeln!(log, "{line}")?;
            each_line(&line);
            bytes.clear();
        }
        Ok((!child.wait()?.success()).then_some(path))
    }

    fn end_progress(&mut self) {
        match mem::replace(&mut self.progress, Progress::Streamed) {
            Progress::Spinner(bar) => bar.finish_and_clear(),
            Progress::Heartbeat { stop, thread } => {
                drop(stop);
                let _ = thread.join();
            }
            Progress::Streamed => {}
        }
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.end_progress();
        if !self.title.is_empty() {
            tell(&format!(
                "    FAILED {} {:.1} s",
                self.title,
                self.start.elapsed().as_secs_f64()
            ));
        }
    }
}

/// Writes a line to standard error. A closed pipe, as after `| head`, is no reason to stop;
/// `eprintln!` would panic.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Like [`tell`], to standard output.
fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn heartbeat(last_line: Arc<Mutex<String>>) -> Progress {
    let (stop, stopped) = mpsc::channel();
    let thread = thread::spawn(move || {
        let start = Instant::now();
        while stopped.recv_timeout(HEARTBEAT) == Err(mpsc::RecvTimeoutError::Timeout) {
            let line = last_line.lock().unwrap_or_else(PoisonError::into_inner);
            tell(&format!("    … {} s  {line}", start.elapsed().as_secs()));
        }
    });
    Progress::Heartbeat { stop, thread }
}

/// The text without escape sequences, with which some programs colour their output even without a
/// terminal.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // A sequence ends with its first letter.
        plain.push_str(
            part.split_once(|c: char| c.is_ascii_alphabetic())
                .map_or("", |(_, rest)| rest),
        );
    }
    plain
}

/// A file name made from a title.
fn slug(title: &str) -> String {
    let words: Vec<&str> = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-").to_lowercase()
}

/// The lines with which a person can look at a file.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// With a folder of its own, for a test to use and delete.
#[cfg(test)]
pub(crate) fn with_ui(name: &str, test: impl FnOnce(&Ui)) {
    let logs = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
    fs::create_dir_all(&logs).unwrap();
    test(&Ui {
        logs: logs.clone(),
        terminal: false,
    });
    fs::remove_dir_all(&logs).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_file_name() {
        assert_eq!(
            slug("cargo-pgrx 0.18.1: install"),
            "cargo-pgrx-0-18-1-install"
        );
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(
            without_colours("\u{1b}[32m\u{1b}[1m ok\u{1b}[0m\u{1b}[39m, done"),
            " ok, done"
        );
        assert_eq!(without_colours("a [plain] line"), "a [plain] line");
    }

    #[test]
    fn a_failing_command_ends_with_its_output() {
        with_ui("fails", |ui| {
            let mut command = Command::new("/bin/sh");
            let error = ui
                .run("a step", command.args(["-c", "echo no room; exit 3"]))
                .unwrap_err();
            assert!(error.to_string().ends_with("no room"), "{error}");
        });
    }

    #[test]
    fn both_outputs_are_seen_in_order() {
        with_ui("talks", |ui| {
            let mut seen = Vec::new();
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "echo one; echo two >&2; echo three"]);
            ui.stream("a step", &mut command, |line| seen.push(line.to_owned()))
                .unwrap();
            assert_eq!(seen, ["one", "two", "three"]);
        });
    }
}
