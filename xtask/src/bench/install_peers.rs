//! The other event stores of `cargo xtask bench peers`: UmaDB's server, and the driver in
//! `benches/peers`.

use std::fs::{self, DirBuilder, File};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use anyhow::{Context, Result, bail};

use crate::lock::lock;
use crate::setup::ensure_program;
use crate::stamp::{is_stamped, write_stamp};
use crate::step::{Ui, tail};
use crate::workspace::Workspace;

/// Must be the version of the client in `benches/peers/Cargo.toml`.
const UMADB_VERSION: &str = "0.7.8";

/// The prefix of the names of temporary folders.
const PREFIX: &str = "eventcore-umadb-";

const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The programs that are needed to measure the peers.
#[derive(Debug)]
pub(super) struct Peers {
    umadb: PathBuf,
    driver: PathBuf,
}

impl Peers {
    /// The driver program. It prints one line of JSON to standard output.
    pub(super) fn driver(&self) -> &Path {
        &self.driver
    }
}

/// Builds what is missing into `target/peers`; about ten minutes the first time.
pub(super) fn install(workspace: &Workspace, ui: &Ui) -> Result<Peers> {
    let folder = workspace.target.join("peers");
    let build = folder.join("build");
    let peers = Peers {
        umadb: folder.join("bin/umadb"),
        driver: build.join("release/eventcore-peers"),
    };
    let _lock = lock(ui, &folder)?;
    // Both compile UmaDB's interface with it.
    ensure_program(ui, "protoc", "PROTOC", "protobuf-compiler")?;
    let stamp = folder.join("umadb-version");
    if !peers.umadb.is_file() || !is_stamped(&stamp, UMADB_VERSION) {
        let mut cargo = workspace.cargo();
        cargo
            .args(["install", "umadb", "--locked", "--force"])
            .args(["--version", &format!("={UMADB_VERSION}")])
            .arg("--root")
            .arg(&folder)
            .env("CARGO_TARGET_DIR", &build);
        ui.run(
            &format!("umadb {UMADB_VERSION}: install (minutes, once)"),
            &mut cargo,
        )?;
        write_stamp(&stamp, UMADB_VERSION)?;
    }
    let mut cargo = workspace.cargo();
    cargo
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(workspace.root.join("benches/peers/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &build);
    ui.run("peers: build the driver", &mut cargo)?;
    Ok(peers)
}

/// A server of UmaDB with its default settings, on a free port of the loopback interface. Killed
/// when dropped, its data deleted.
#[derive(Debug)]
pub(super) struct UmaDb {
    server: Child,
    folder: PathBuf,
    port: u16,
}

impl UmaDb {
    /// Starts it without events. Its data is in the temporary folder, like that of the harness's
    /// servers, so it is on the same disk.
    pub(super) fn start(peers: &Peers) -> Result<Self> {
        let folder = temporary_folder()?;
        match Self::spawn(peers, &folder) {
            Ok((server, port)) => {
                let mut umadb = Self {
                    server,
                    folder,
                    port,
                };
                umadb.wait()?;
                Ok(umadb)
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// For the driver's `--url`.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn spawn(peers: &Peers, folder: &Path) -> Result<(Child, u16)> {
        let port = free_port().context("no port is free on 127.0.0.1")?;
        let log = File::create(log_of(folder))?;
        let mut command = Command::new(&peers.umadb);
        // The user's settings would measure something else.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("UMADB_") {
                command.env_remove(name);
            }
        }
        let server = command
            .args(["--listen", &format!("127.0.0.1:{port}"), "--db-path"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", peers.umadb.display()))?;
        Ok((server, port))
    }

    /// Waits until it prints that it listens. An open port would not prove which process listens.
    fn wait(&mut self) -> Result<()> {
        let log = log_of(&self.folder);
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            if fs::read_to_string(&log)?.contains("listening on") {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                bail!("umadb ended at once ({status}):\n{}", tail(&log, 20));
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!(
            "umadb does not listen after {} s:\n{}",
            START_TIMEOUT.as_secs(),
            tail(&log, 20)
        )
    }
}

impl Drop for UmaDb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder that only the caller can enter.
fn temporary_folder() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{PREFIX}{}-{count}", process::id());
    let folder = env::temp_dir().join(name);
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umadb_is_of_the_version_that_the_driver_speaks_to() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = fs::read_to_string(root.join("benches/peers/Cargo.toml")).unwrap();
        let pinned = format!("umadb-client = \"={UMADB_VERSION}\"");
        assert!(manifest.lines().any(|line| line == pinned), "no {pinned}");
    }

    #[test]
    fn a_server_that_does_not_start_says_why_and_leaves_nothing() {
        let peers = Peers {
            umadb: "/bin/sh".into(),
            driver: PathBuf::new(),
        };
        let error = UmaDb::start(&peers).unwrap_err().to_string();
        assert!(error.starts_with("umadb ended at once"), "{error}");
        assert!(error.contains("--"), "{error}");
        let left = fs::read_dir(env::temp_dir()).unwrap().flatten();
        let own = format!("{PREFIX}{}-", process::id());
        let mut names = left.map(|entry| entry.file_name().to_string_lossy().into_owned());
        assert!(!names.any(|name| name.starts_with(&own)));
    }
}
