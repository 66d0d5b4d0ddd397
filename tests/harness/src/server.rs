//! One private server: started, restarted, crashed, stopped.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use std::{io, thread};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::cluster::new_cluster;
use crate::database::Template;
use crate::error::{Error, Result};
use crate::options::ServerOptions;
use crate::process::{signal, wait_until};
use crate::secret::random_password;
use crate::temp::TempDir;
use crate::url::ConnectionUrl;
use crate::watchdog::Watchdog;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// The number in the socket's name when there is no TCP port; the folder is the server's own.
const SOCKET_PORT: u16 = 5432;

/// A running server in a temporary folder, stopped and deleted when dropped.
#[derive(Debug)]
pub struct Server {
    pub(crate) binaries: Binaries,
    pub(crate) account: Account,
    pub(crate) options: ServerOptions,
    pub(crate) template: Mutex<Template>,
    port: u16,
    password: Option<String>,
    postmaster: Option<Child>,
    // Dropped in this order: the watchdog first, then the folder.
    _watchdog: Watchdog,
    folder: TempDir,
}

/// The server that all tests of one process share; it ends with the process.
///
/// # Panics
/// The server cannot be started. The message says why; no test can run then.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    // A database for each test; a process may have hundreds of tests.
    let options = || ServerOptions::new().set("eventcore.max_databases", "1000");
    SHARED.get_or_init(|| match Server::start(options()) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    })
}

impl Server {
    /// Makes a cluster and starts a server on it, with the programs of `EVENTCORE_PG_BIN`.
    ///
    /// # Errors
    /// There are no programs, or the server does not start; the error ends with the server's log.
    pub fn start(options: ServerOptions) -> Result<Self> {
        Self::start_with(Binaries::from_env()?, options)
    }

    /// Does the same with other programs.
    ///
    /// # Errors
    /// The server does not start; the error ends with the server's log.
    pub fn start_with(binaries: Binaries, options: ServerOptions) -> Result<Self> {
        let mut server = Self::prepare(binaries, options)?;
        new_cluster(&server.binaries, &server.account, &server.data())?;
        server.write_configuration()?;
        server.start_again()?;
        if server.options.loopback {
            let password = random_password()?;
            server.psql(
                "postgres",
                &format!("ALTER ROLE postgres PASSWORD '{password}'"),
            )?;
            server.password = Some(password);
        }
        Ok(server)
    }

    /// A folder with a watchdog, and without a cluster.
    pub(crate) fn prepare(binaries: Binaries, options: ServerOptions) -> Result<Self> {
        let account = Account::for_servers()?;
        if !account.can_enter(binaries.folder()) {
            return Err(Error::new(format!(
                "the user {} cannot reach PostgreSQL's programs in {}: set CARGO_TARGET_DIR to a folder \
                 that it can reach, or run `cargo xtask test`, which takes care of it",
                account.name(),
                binaries.folder().display()
            )));
        }
        let folder = TempDir::new(&account)?;
        Ok(Self {
            _watchdog: Watchdog::watch(folder.path(), &account)?,
            port: if options.loopback {
                free_port()?
            } else {
                SOCKET_PORT
            },
            binaries,
            account,
            options,
            template: Mutex::default(),
            password: None,
            postmaster: None,
            folder,
        })
    }

    /// The unix socket's folder: what `host` is set to.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port; without TCP, the number in the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The postmaster's process id, while it runs.
    pub fn postmaster_pid(&self) -> Option<u32> {
        self.postmaster.as_ref().map(Child::id)
    }

    /// A URL to a database, over the unix socket.
    pub fn url(&self, database: &str) -> String {
        ConnectionUrl {
            database,
            port: self.port,
        }
        .socket(self.socket_folder())
    }

    /// A URL to a database over TCP, when started with [`ServerOptions::with_loopback`].
    pub fn loopback_url(&self, database: &str) -> Option<String> {
        let password = self.password.as_deref()?;
        Some(
            ConnectionUrl {
                database,
                port: self.port,
            }
            .loopback(password),
        )
    }

    /// Starts the server again after [`stop`](Self::stop) or one of the crashes.
    ///
    /// # Errors
    /// It does not start; the error ends with the server's log.
    pub fn start_again(&mut self) -> Result<()> {
        if self.postmaster.is_some() {
            return Ok(());
        }
        // After a kill -9 the old backends hold the shared memory for a moment.
        let mut tries = 0;
        loop {
            match self.launch() {
                Err(error) if tries < 50 && error.to_string().contains("shared memory block") => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(100));
                }
                outcome => return outcome,
            }
        }
    }

    /// Stops the server as an operator does (fast shutdown: with a checkpoint).
    ///
    /// # Errors
    /// It does not stop within 20 seconds.
    pub fn stop(&mut self) -> Result<()> {
        self.end("INT")
    }

    /// [`stop`](Self::stop) and start again.
    ///
    /// # Errors
    /// It does not stop, or it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    /// Ends all processes at once with no checkpoint (immediate shutdown): the next start recovers.
    ///
    /// # Errors
    /// It does not stop within 20 seconds.
    pub fn crash(&mut self) -> Result<()> {
        self.end("QUIT")
    }

    /// `kill -9` of the postmaster; its backends notice and end by themselves.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn kill_postmaster_9(&mut self) -> Result<()> {
        self.end("KILL")
    }

    /// Sends a signal (`KILL`, `TERM`, …) to one of the server's processes, for instance a backend.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn signal(&self, pid: u32, name: &str) -> Result<()> {
        signal(pid, name)
    }

    /// The whole log, since the first start.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// The last lines of the log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// After the lines of initdb, which has tried what works on this machine (shared memory).
    pub(crate) fn write_configuration(&self) -> Result<()> {
        let file = self.data().join("postgresql.conf");
        File::options()
            .append(true)
            .open(&file)
            .and_then(|mut open| open.write_all(self.options.configuration().as_bytes()))
            .map_err(Error::io(format_args!("write {}", file.display())))
    }

    /// Further lines, which override the earlier ones.
    pub(crate) fn append_configuration(&self, settings: &[(&str, &str)]) -> Result<()> {
        let file = self.data().join("postgresql.conf");
        let lines: String = settings
            .iter()
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
            .collect();
        File::options()
            .append(true)
            .open(&file)
            .and_then(|mut open| open.write_all(lines.as_bytes()))
            .map_err(Error::io(format_args!("write {}", file.display())))
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn launch(&mut self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(Error::io(format_args!(
                "write {}",
                self.log_file().display()
            )))?;
        let mut command = self.binaries.command_as(&self.account, "postgres");
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path());
        command.args([
            "-h",
            if self.options.loopback {
                "127.0.0.1"
            } else {
                ""
            },
        ]);
        command.args(["-p", &self.port.to_string()]);
        command.envs(self.options.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        // Ctrl-C is for the test; its Drop or the watchdog ends the server.
        command.process_group(0);
        let mut postmaster = command.spawn().map_err(Error::io("start postgres"))?;
        let mut ended = false;
        let ready = wait_until(START_LIMIT, || {
            ended = !matches!(postmaster.try_wait(), Ok(None));
            ended || self.is_ready(postmaster.id())
        });
        if ready && !ended {
            self.postmaster = Some(postmaster);
            return Ok(());
        }
        let _ = postmaster.kill();
        let _ = postmaster.wait();
        Err(Error::new(format!(
            "the server does not start; its log:\n{}",
            self.log_tail(20)
        )))
    }

    /// Line 1 of `postmaster.pid` is the process, line 8 its state.
    fn is_ready(&self, pid: u32) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        let first = lines.next().and_then(|line| line.trim().parse().ok());
        let state = lines.nth(6).map(str::trim);
        first == Some(pid) && matches!(state, Some("ready" | "standby"))
    }

    fn end(&mut self, name: &str) -> Result<()> {
        let Some(mut postmaster) = self.postmaster.take() else {
            return Ok(());
        };
        signal(postmaster.id(), name)?;
        if wait_until(STOP_LIMIT, || !matches!(postmaster.try_wait(), Ok(None))) {
            return Ok(());
        }
        let _ = postmaster.kill();
        let _ = postmaster.wait();
        Err(Error::new(format!(
            "the server did not stop within {} seconds of SIG{name}; its log:\n{}",
            STOP_LIMIT.as_secs(),
            self.log_tail(20)
        )))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "--- the end of the server's log\n{}\n---",
                self.log_tail(40)
            );
        }
        if let Err(error) = self.end("QUIT") {
            eprintln!("{error}");
        }
    }
}

fn free_port() -> Result<u16> {
    let port =
        || -> io::Result<u16> { Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port()) };
    port().map_err(Error::io("find a free port on 127.0.0.1"))
}
