//! Processes: started with a log, stopped with signals, found by their parents.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use eventcore_harness::signal;

/// A process that we started, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command`; appends its output to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        // Ctrl-C is for this process; its watchdog ends the others.
        command.process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Self(child))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill_9(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// `kill -9` of each of the processes that still exists.
pub(crate) fn kill_all_9(pids: &[u32]) -> Result<()> {
    for pid in pids {
        signal(*pid, "KILL")?;
    }
    Ok(())
}

/// The server with this data directory, and all its processes; none if it does not run.
///
/// A process id from a file may belong to another process by now, so its current folder must be the
/// directory.
pub(crate) fn server_processes(data: &Path) -> Vec<u32> {
    let Some(postmaster) = postmaster(data) else {
        return Vec::new();
    };
    let mut found = vec![postmaster];
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    found.extend(pids.filter(|pid| parent(*pid) == Some(postmaster)));
    found
}

/// The postmaster of this data directory, while it runs.
pub(crate) fn postmaster(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (folder == fs::canonicalize(data).ok()?).then_some(pid)
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_child_is_this_process() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read line"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let found = parent(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, Some(std::process::id()));
    }

    #[test]
    fn a_folder_without_a_server_has_no_processes() {
        assert!(server_processes(Path::new("/no/such/folder")).is_empty());
    }
}
