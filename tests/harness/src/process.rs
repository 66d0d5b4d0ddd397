//! Running a command to its end, sending signals, and waiting.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Runs `command` to its end and returns what it wrote to standard output.
///
/// # Errors
/// It cannot be started or does not exit with 0; the error holds what it printed.
pub fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format_args!("run {program}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(Error::new(format!(
        "{program} failed ({}):\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )))
}

/// Sends a signal (`QUIT`, `KILL`, …) to a process; it is no error if the process has ended.
///
/// # Errors
/// There is no shell to send it with.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    // The shell's own `kill`: a small machine has no other.
    let status = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status
        .map(|_| ())
        .map_err(Error::io(format_args!("send {name} to process {pid}")))
}

/// Calls `done` every 5 ms until it returns true, and returns whether that was within `limit`.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_says_what_it_printed() {
        let error = run(Command::new("/bin/sh").args(["-c", "echo no room >&2; exit 3"]));
        assert!(error.unwrap_err().to_string().contains("no room"));
    }

    #[test]
    fn a_signal_to_a_process_that_has_ended_is_fine() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "exit 0"])
            .spawn()
            .unwrap();
        child.wait().unwrap();
        signal(child.id(), "QUIT").unwrap();
    }

    #[test]
    fn waiting_ends_at_the_limit() {
        assert!(!wait_until(Duration::from_millis(20), || false));
        assert!(wait_until(Duration::from_secs(5), || true));
    }
}
