//! The private server: its cluster, start and stop.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use eventcore_harness::{Account, Binaries, ConnectionUrl, SUPERUSER, initdb, run};

use super::DATABASE;
use super::folder::Folder;
use crate::lock::{Lock, lock};
use crate::setup::Installation;
use crate::stamp::{is_stamped, write_stamp};
use crate::step::{Ui, tail};

/// The server of one clone and one major, running or not.
#[derive(Debug)]
pub(crate) struct PrivateServer {
    pub(super) folder: Folder,
    binaries: Binaries,
    account: Account,
}

impl PrivateServer {
    pub(crate) fn new(installation: &Installation) -> Result<Self> {
        Ok(Self {
            folder: Folder::new(
                installation
                    .base
                    .join(format!("server/{}", installation.major)),
            )?,
            binaries: installation.binaries.clone(),
            account: installation.account.clone(),
        })
    }

    /// Held by the code that starts, stops or deletes the server, or replaces a database: two such
    /// operations would disturb each other. The methods here do not take it; a caller of several
    /// methods holds it over all of them.
    pub(crate) fn lock(&self, ui: &Ui) -> Result<Lock> {
        lock(ui, self.folder.path())
    }

    pub(crate) fn is_running(&self) -> Result<bool> {
        if !self.folder.data().join("postmaster.pid").exists() {
            return Ok(false);
        }
        let status = self
            .pg_ctl("status")
            .stdout(std::process::Stdio::null())
            .status()?;
        Ok(status.success())
    }

    /// Whether it was started with the library that is installed.
    pub(crate) fn has_library(&self, installation: &Installation) -> bool {
        is_stamped(&self.folder.library(), &installation.extension_stamp)
    }

    /// Whether the database was made by the extension that is installed.
    pub(crate) fn database_is_of(&self, installation: &Installation) -> Result<bool> {
        if !self.folder.database().exists() {
            write_stamp(&self.folder.database(), &installation.extension_stamp)?;
        }
        Ok(is_stamped(
            &self.folder.database(),
            &installation.extension_stamp,
        ))
    }

    /// Starts it; creates the cluster first if it does not exist.
    pub(crate) fn start(&self, ui: &Ui, installation: &Installation) -> Result<()> {
        let data = self.folder.data();
        if !data.join("PG_VERSION").exists() {
            let _ = fs::remove_dir_all(&data);
            Folder::make_private(&data, &self.account)?;
            initdb(&self.binaries, &self.account, &data)?;
        }
        let socket = self.folder.make_socket(&self.account)?;
        let before = self.folder.port().ok();
        let port = self.folder.choose_port()?;
        if before.is_some_and(|before| before != port) {
            ui.say(&format!(
                "its port is taken by another program; it listens on {port} from now on"
            ));
        }
        self.configure(&socket, port)?;
        let log = self.folder.log();
        fs::write(&log, "")?;
        self.account.give(&log)?;
        run(self
            .pg_ctl("start")
            .args(["--wait", "--timeout=60", "--silent", "--log"])
            .arg(&log))
        .map_err(|error| {
            anyhow!(
                "{error}\nthe end of its log, {}:\n{}",
                log.display(),
                tail(&log, 20)
            )
        })?;
        write_stamp(&self.folder.library(), &installation.extension_stamp)?;
        self.set_password()
    }

    /// Stops it; returns whether it was running.
    pub(crate) fn stop(&self) -> Result<bool> {
        if !self.is_running()? {
            return Ok(false);
        }
        run(self
            .pg_ctl("stop")
            .args(["--wait", "--mode=fast", "--silent"]))?;
        Ok(true)
    }

    /// Deletes its data. It must be stopped.
    pub(crate) fn delete(&self) -> Result<()> {
        let data = self.folder.data();
        if data.exists() {
            fs::remove_dir_all(&data)
                .with_context(|| format!("cannot delete {}", data.display()))?;
        }
        let _ = fs::remove_file(self.folder.database());
        Ok(())
    }

    /// Over the unix socket: only this user and root can connect, without a password.
    pub(crate) fn socket_url(&self, database: &str) -> Result<String> {
        Ok(ConnectionUrl {
            database,
            port: self.folder.port()?,
        }
        .socket(&self.folder.socket()))
    }

    /// Over the loopback port, with the password.
    pub(crate) fn loopback_url(&self, database: &str) -> Result<String> {
        let password = self.folder.password()?;
        Ok(ConnectionUrl {
            database,
            port: self.folder.port()?,
        }
        .loopback(&password))
    }

    /// One of PostgreSQL's client programs with this server as its default.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.binaries.command(program);
        command
            .env("PGHOST", self.folder.socket())
            .env("PGUSER", SUPERUSER);
        if let Ok(port) = self.folder.port() {
            command.env("PGPORT", port.to_string());
        }
        command
    }

    /// The paths of everything.
    pub(crate) fn describe(&self) -> Result<String> {
        let state = if self.is_running()? {
            "running"
        } else {
            "not running"
        };
        let mut text = format!("private server: {state}");
        if self.folder.data().exists() {
            text.push_str(&format!(
                "\n  data    {}\n  log     {}\n  socket  {}\n  port    127.0.0.1:{}\n  as user {}",
                self.folder.data().display(),
                self.folder.log().display(),
                self.socket_url(DATABASE)?,
                self.folder.port()?,
                self.account.name(),
            ));
        }
        Ok(text)
    }

    /// Settings that are decided at every start are in a file of their own; the rest belongs to the
    /// user.
    fn configure(&self, socket: &Path, port: u16) -> Result<()> {
        let data = self.folder.data();
        let main = data.join("postgresql.conf");
        let text =
            fs::read_to_string(&main).with_context(|| format!("cannot read {}", main.display()))?;
        let include = "include 'eventcore.conf'";
        if !text.lines().any(|line| line.trim() == include) {
            fs::write(&main, format!("{text}\n{include}\n"))?;
        }
        let own = data.join("eventcore.conf");
        let socket = socket.display().to_string().replace('\'', "''");
        fs::write(
            &own,
            format!(
                "# Written by `cargo xtask server start`; use postgresql.auto.conf (ALTER SYSTEM) instead.\n\
                 shared_preload_libraries = 'eventcore'\n\
                 # Benchmarks keep two times 64 clients connected.\n\
                 max_connections = 200\n\
                 listen_addresses = '127.0.0.1'\n\
                 port = {port}\n\
                 unix_socket_directories = '{socket}'\n"
            ),
        )?;
        Ok(self.account.give(&own)?)
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.binaries.command_as(&self.account, "pg_ctl");
        command.arg(action).arg("--pgdata").arg(self.folder.data());
        command
    }
}
