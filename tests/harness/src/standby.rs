//! Replicas of a server: standbys that stream, servers that recover to a point in time, and servers
//! that rejoin.

use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::process::{run, wait_until};
use crate::server::Server;

const CATCH_UP_LIMIT: Duration = Duration::from_secs(30);

impl Server {
    /// Starts a hot standby that streams from this server, with the same options.
    ///
    /// # Errors
    /// `pg_basebackup` fails, or the standby does not start.
    pub fn standby(&self) -> Result<Server> {
        self.standby_with(&[])
    }

    /// The same with more settings, such as a `cluster_name` for `synchronous_standby_names`.
    ///
    /// # Errors
    /// `pg_basebackup` fails, or the standby does not start.
    pub fn standby_with(&self, settings: &[(&str, &str)]) -> Result<Server> {
        let mut standby = self.backup()?;
        standby.configure(settings)?;
        standby.start_again()?;
        Ok(standby)
    }

    /// A backup of this server that is not started. It becomes a standby, or a server that recovers
    /// to a point in time if its settings contain a `recovery_target_…`.
    ///
    /// # Errors
    /// `pg_basebackup` fails.
    pub fn backup(&self) -> Result<Server> {
        let standby = Server::prepare(self.binaries.clone(), self.options.clone())?;
        let mut backup = self.binaries.command_as(&self.account, "pg_basebackup");
        backup.arg("--host").arg(self.socket_folder());
        backup.args(["--port", &self.port().to_string(), "--username", "postgres"]);
        backup.arg("--pgdata").arg(standby.data());
        backup.args([
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-sync",
        ]);
        run(&mut backup)?;
        Ok(standby)
    }

    /// Adds lines to `postgresql.conf`, for the next start or `pg_reload_conf()`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.append_configuration(settings)
    }

    /// Makes this stopped server a standby of another server that was promoted: `pg_rewind`.
    ///
    /// # Errors
    /// `pg_rewind` fails. It needs `wal_log_hints`.
    pub fn rewind_to(&self, source: &Server) -> Result<()> {
        let mut rewind = self.binaries.command_as(&self.account, "pg_rewind");
        rewind.arg("--target-pgdata").arg(self.data());
        rewind.arg("--source-server").arg(format!(
            "host={} port={} user=postgres dbname=postgres",
            source.socket_folder().display(),
            source.port()
        ));
        rewind.args(["--write-recovery-conf", "--no-sync"]);
        run(&mut rewind).map(|_| ())
    }

    /// Waits until this standby has replayed everything that `primary` has written so far.
    ///
    /// # Errors
    /// It has not within 30 seconds.
    pub fn catch_up_with(&self, primary: &Server) -> Result<()> {
        let target = primary.psql("postgres", "SELECT pg_current_wal_lsn()")?;
        let query = format!("SELECT pg_last_wal_replay_lsn() >= '{target}'");
        if wait_until(CATCH_UP_LIMIT, || {
            self.psql("postgres", &query).is_ok_and(|row| row == "t")
        }) {
            return Ok(());
        }
        Err(Error::new(format!(
            "the standby has not reached {target}; its log:\n{}",
            self.log_tail(20)
        )))
    }

    /// Starts this stopped server as a standby of another one.
    ///
    /// # Errors
    /// Its data folder cannot be written, or it does not start.
    pub fn follow(&mut self, primary: &Server) -> Result<()> {
        let folder = primary.socket_folder().display();
        let port = primary.port();
        let line = format!("primary_conninfo = 'host={folder} port={port} user=postgres'\n");
        let file = self.data().join("postgresql.auto.conf");
        File::options()
            .append(true)
            .open(&file)
            .and_then(|mut open| open.write_all(line.as_bytes()))
            .map_err(Error::io(format_args!("write {}", file.display())))?;
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "").map_err(Error::io(format_args!("write {}", signal.display())))?;
        self.start_again()
    }

    /// Makes this standby a primary.
    ///
    /// # Errors
    /// It is not a standby, or not promoted within a minute.
    pub fn promote(&self) -> Result<()> {
        match self.psql("postgres", "SELECT pg_promote()")?.as_str() {
            "t" => Ok(()),
            _ => Err(Error::new("the standby was not promoted")),
        }
    }
}
