//! Ends a server or pooler whose test process was killed: a shell that waits for the end of a pipe.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::account::Account;
use crate::error::{Error, Result};

/// Stops the server or pooler in the folder `$1` and deletes the folder, unless a line arrives before the
/// pipe's end.
///
/// A process id from a file may belong to another process by now, so the command line must name the
/// folder.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r line && exit 0
sleep 0.2
running() {
    pid=$(cat "$1/data/postmaster.pid" "$1/pgbouncer.pid" 2>/dev/null | head -n 1)
    [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$1/"
}
for signal in QUIT KILL; do
    running "$1" && kill -s "$signal" "$pid"
    for try in 1 2 3 4 5 6 7 8 9 10; do
        running "$1" && sleep 0.5
    done
done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

/// Watches over one folder until dropped.
///
/// A pipe, not `PR_SET_PDEATHSIG`: that follows the thread that started the server, and each test
/// runs in a thread.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    pub(crate) fn watch(folder: &Path, account: &Account) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "eventcore-watchdog"])
            .arg(folder)
            .current_dir("/");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // A process group of its own: a signal that ends the test's group (Ctrl-C, a time limit)
        // must not end this one.
        command.process_group(0);
        account.apply(&mut command);
        let shell = command.spawn().map_err(Error::io("start /bin/sh"))?;
        Ok(Self { shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.shell.wait();
    }
}
