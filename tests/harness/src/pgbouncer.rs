//! A private PgBouncer in front of a server, in transaction pooling mode: after each transaction it
//! takes the server's connection away from the client.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use crate::account::Account;
use crate::error::{Error, Result};
use crate::process::wait_until;
use crate::server::Server;
use crate::temp::TempDir;
use crate::url::{ConnectionUrl, SUPERUSER};
use crate::watchdog::Watchdog;

const START_LIMIT: Duration = Duration::from_secs(20);
/// The number in the socket's name; there is no TCP port.
const SOCKET_PORT: u16 = 6432;

/// Where PgBouncer is: on the path, or where Debian installs it, which is not always on the path.
///
/// # Errors
/// It is not installed.
pub fn pgbouncer_program() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            Error::new(
                "PgBouncer is neither on the path nor in /usr/sbin: run `cargo xtask test`, which \
                 installs it, or `apt-get install pgbouncer`",
            )
        })
}

/// A running PgBouncer in a temporary folder, stopped and deleted when dropped.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    // Dropped in this order: the watchdog first, then the folder.
    _watchdog: Watchdog,
    folder: TempDir,
}

impl Server {
    /// Starts a PgBouncer that shares `connections` of this server's per database among all its
    /// clients, one transaction at a time.
    ///
    /// # Errors
    /// It is not installed, or it does not start; the error ends with its log.
    pub fn pgbouncer(&self, connections: u32) -> Result<PgBouncer> {
        let program = pgbouncer_program()?;
        let folder = TempDir::new(&self.account)?;
        let configuration = configuration(self, folder.path(), connections);
        write(
            &folder.path().join("users"),
            &format!("\"{SUPERUSER}\" \"\"\n"),
        )?;
        write(&folder.path().join("pgbouncer.ini"), &configuration)?;
        let watchdog = Watchdog::watch(folder.path(), &self.account)?;
        let process = launch(&program, folder.path(), &self.account)?;
        let mut pooler = PgBouncer {
            process,
            _watchdog: watchdog,
            folder,
        };
        pooler.wait_until_ready()?;
        Ok(pooler)
    }
}

impl PgBouncer {
    /// A URL to a database of the server, through the pooler. The database `pgbouncer` is for
    /// PgBouncer's own commands, such as `SHOW POOLS`.
    pub fn url(&self, database: &str) -> String {
        ConnectionUrl {
            database,
            port: SOCKET_PORT,
        }
        .socket(self.folder.path())
    }

    /// The unix socket's folder: what `host` is set to.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let socket = self.folder.path().join(format!(".s.PGSQL.{SOCKET_PORT}"));
        let mut ended = false;
        let ready = wait_until(START_LIMIT, || {
            ended = !matches!(self.process.try_wait(), Ok(None));
            ended || UnixStream::connect(&socket).is_ok()
        });
        if ready && !ended {
            return Ok(());
        }
        Err(Error::new(format!(
            "PgBouncer does not start; its log:\n{}",
            self.log()
        )))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- PgBouncer's log\n{}---", self.log());
        }
        // It stores nothing, so no test needs it to end more gently.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Only what makes it private; everything else is the default.
fn configuration(server: &Server, folder: &Path, connections: u32) -> String {
    let folder = folder.display();
    format!(
        "[databases]\n\
         * = host={} port={}\n\
         [pgbouncer]\n\
         unix_socket_dir = {folder}\n\
         listen_port = {SOCKET_PORT}\n\
         auth_type = trust\n\
         auth_file = {folder}/users\n\
         admin_users = {SUPERUSER}\n\
         pidfile = {folder}/pgbouncer.pid\n\
         pool_mode = transaction\n\
         default_pool_size = {connections}\n",
        server.socket_folder().display(),
        server.port()
    )
}

fn launch(program: &Path, folder: &Path, account: &Account) -> Result<Child> {
    let log_file = folder.join("log");
    let log = File::create(&log_file)
        .and_then(|log| Ok((log.try_clone()?, log)))
        .map_err(Error::io(format_args!("write {}", log_file.display())))?;
    let mut command = Command::new(program);
    command.arg(folder.join("pgbouncer.ini")).current_dir("/");
    command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
    // Ctrl-C is for the test; its Drop or the watchdog ends the pooler.
    command.process_group(0);
    account.apply(&mut command);
    command
        .spawn()
        .map_err(Error::io(format_args!("start {}", program.display())))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).map_err(Error::io(format_args!("write {}", file.display())))
}
