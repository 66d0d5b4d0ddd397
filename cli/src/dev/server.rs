//! The server: created, started, and stopped when it is dropped.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::account::Account;
use super::folder::{Folder, random};
use super::programs::Programs;
use crate::failure::Failure;

/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);

/// How often to look whether it has started.
const LOOK: Duration = Duration::from_millis(50);

/// How many lines of its log are shown if it does not.
const LINES: usize = 15;

/// A running server. It stops when this is dropped.
pub(super) struct Server {
    postmaster: Child,
    pid: u32,
    port: u16,
    /// What stops it in order, and what stops it at once.
    stop: Command,
    kill: Command,
    // Dropped after the server was stopped.
    folder: Folder,
}

/// Makes a cluster, if there is none in the folder. Returns whether it did.
pub(super) async fn create(
    programs: &Programs,
    account: &Account,
    folder: &Folder,
) -> Result<bool, Failure> {
    if folder.data().join("PG_VERSION").exists() {
        return Ok(false);
    }
    let mut initdb = programs.command("initdb", account);
    initdb.arg("--pgdata").arg(folder.data()).args([
        "--username=postgres",
        "--encoding=UTF8",
        "--no-locale",
        // The folder of the socket is closed to others.
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
    ]);
    let mut initdb = Command::from(initdb);
    let output = initdb.kill_on_drop(true).output().await?;
    match output.status.success() {
        true => Ok(true),
        false => Err(failed("initdb", &String::from_utf8_lossy(&output.stderr))),
    }
}

/// A password of 128 random bits.
pub(super) fn password() -> Result<String, Failure> {
    Ok(random(16)?)
}

impl Server {
    /// Starts the server on the cluster of the folder.
    pub(super) fn start(
        programs: &Programs,
        account: &Account,
        folder: Folder,
        port: Option<u16>,
    ) -> Result<Self, Failure> {
        let port = match port {
            Some(port) => port,
            None => TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
        };
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.log())?;
        account.give(&folder.log())?;
        let mut postgres = programs.command("postgres", account);
        postgres
            .arg("-D")
            .arg(folder.data())
            .arg("-k")
            .arg(folder.socket())
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-c", "shared_preload_libraries=eventcore"])
            .args(["-c", "logging_collector=off"])
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for this command, which stops the server in order.
            .process_group(0);
        let stopping = |mode| {
            let mut stop = programs.command("pg_ctl", account);
            stop.arg("stop")
                .arg("--pgdata")
                .arg(folder.data())
                .args([mode, "--silent", "--wait", "--timeout=30"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0);
            let mut stop = Command::from(stop);
            stop.kill_on_drop(true);
            stop
        };
        let (stop, kill) = (stopping("--mode=fast"), stopping("--mode=immediate"));
        let postmaster = Command::from(postgres).spawn()?;
        Ok(Self {
            pid: postmaster.id().unwrap_or_default(),
            postmaster,
            port,
            stop,
            kill,
            folder,
        })
    }

    /// Returns when it accepts connections.
    pub(super) async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        while !self.is_ready() {
            if self.postmaster.try_wait()?.is_some() || began.elapsed() > START {
                return Err(failed("the server", &self.log()));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Line 1 of `postmaster.pid` is the process, line 8 its state.
    fn is_ready(&self) -> bool {
        let file = self.folder.data().join("postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        let is_ours = lines.next() == Some(self.pid.to_string().as_str());
        is_ours && lines.nth(6) == Some("ready")
    }

    /// Returns when the server has ended, which it should not.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        self.postmaster.wait().await?;
        Err(failed("the server", &self.log()))
    }

    /// Stops it in order.
    pub(super) async fn stop(&mut self) {
        run(&mut self.stop, &mut self.postmaster).await;
    }

    /// Stops it at once: it recovers at its next start.
    pub(super) async fn kill(&mut self) {
        run(&mut self.kill, &mut self.postmaster).await;
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Over the socket, without a password.
    pub(super) fn url(&self, database: &str) -> String {
        let (host, port) = (self.folder.socket().display(), self.port);
        format!("postgresql://postgres@/{database}?host={host}&port={port}")
    }

    /// Over the loopback interface.
    pub(super) fn tcp_url(&self, database: &str, password: &str) -> String {
        let port = self.port;
        format!("postgresql://postgres:{password}@127.0.0.1:{port}/{database}")
    }

    /// The end of the log.
    fn log(&self) -> String {
        let log = std::fs::read(self.folder.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.postmaster.try_wait(), Ok(Some(_))) {
            return;
        }
        let is_stopped = self
            .stop
            .as_std_mut()
            .status()
            .is_ok_and(|status| status.success());
        if !is_stopped {
            // It did not answer in time: its processes end when the postmaster is gone.
            let _ = self.postmaster.start_kill();
        }
    }
}

/// Runs what stops a server. If that fails, dropping the server stops it.
async fn run(stop: &mut Command, postmaster: &mut Child) {
    if stop.status().await.is_ok_and(|status| status.success()) {
        // A child of this process stays until it is waited for.
        let _ = postmaster.wait().await;
    }
}

fn failed(what: &str, log: &str) -> Failure {
    let message = format!("{what} has failed");
    let error = eventcore_inspect::Error::new(eventcore_inspect::ErrorKind::Failed, message);
    Failure::Database(error.with_hint(log.trim()))
}
