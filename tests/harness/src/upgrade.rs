//! `pg_upgrade`: a new server with the contents of a stopped one.

use std::fs;

use crate::binaries::Binaries;
use crate::cluster::new_cluster_like;
use crate::error::{Error, Result};
use crate::options::ServerOptions;
use crate::process::run;
use crate::server::Server;

impl Server {
    /// Runs `pg_upgrade` and starts the new server with these options. This server must be stopped
    /// and must stay so. While `pg_upgrade` runs the two servers, they have `settings` in addition to
    /// their own.
    ///
    /// # Errors
    /// This server runs, `pg_upgrade` fails (the error holds what it printed), or the new server does not start.
    pub fn upgrade(&self, options: ServerOptions, settings: &[(&str, &str)]) -> Result<Server> {
        self.upgrade_to(&self.binaries, options, settings)
    }

    /// Does the same with the programs of another major.
    ///
    /// # Errors
    /// As [`upgrade`](Self::upgrade).
    pub fn upgrade_to(
        &self,
        binaries: &Binaries,
        options: ServerOptions,
        settings: &[(&str, &str)],
    ) -> Result<Server> {
        if self.postmaster_pid().is_some() {
            return Err(Error::new(
                "the server still runs: stop it before pg_upgrade",
            ));
        }
        let mut new = Server::prepare(binaries.clone(), options)?;
        let old = (&self.binaries, &*self.data());
        new_cluster_like(old, &new.binaries, &new.account, &new.data())?;
        new.write_configuration()?;
        let settings = settings
            .iter()
            .map(|(name, value)| format!("-c {name}={value}"));
        let settings = settings.collect::<Vec<_>>().join(" ");
        let mut upgrade = new.binaries.command_as(&self.account, "pg_upgrade");
        upgrade.arg("--old-bindir").arg(self.binaries.folder());
        upgrade.arg("--new-bindir").arg(new.binaries.folder());
        upgrade.arg("--old-datadir").arg(self.data());
        upgrade.arg("--new-datadir").arg(new.data());
        upgrade.arg("--socketdir").arg(new.socket_folder());
        upgrade.args(["--old-port", "50432", "--new-port", "50433"]);
        upgrade.args(["--username", "postgres"]);
        upgrade.args(["--old-options", &settings, "--new-options", &settings]);
        // It keeps what the servers have logged, for `log_of_upgrade`.
        upgrade.arg("--retain");
        // It writes files to the current folder.
        upgrade.current_dir(new.socket_folder());
        run(&mut upgrade)?;
        new.start_again()?;
        Ok(new)
    }

    /// What the old server and this one have logged while `pg_upgrade` ran them to make this one.
    ///
    /// # Errors
    /// `pg_upgrade` has not made this server, or the log cannot be read.
    pub fn log_of_upgrade(&self) -> Result<String> {
        let folder = self.data().join("pg_upgrade_output.d");
        let read = || {
            // In a folder with the name of the time.
            let mut log = String::new();
            for of_one_time in fs::read_dir(&folder)? {
                let file = of_one_time?.path().join("log/pg_upgrade_server.log");
                log.push_str(&String::from_utf8_lossy(&fs::read(file)?));
            }
            Ok(log)
        };
        read().map_err(Error::io(format_args!("read {}", folder.display())))
    }
}
