//! Databases on a server, and SQL through psql.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::PoisonError;

use crate::error::{Error, Result};
use crate::server::Server;
use crate::url::SUPERUSER;

const TEMPLATE: &str = "eventcore_template";

/// The database that others are copied from. A copy takes 30 ms; CREATE EXTENSION takes longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Template {
    #[default]
    NotMade,
    Made,
    /// A session stays connected to it, so PostgreSQL refuses to copy it.
    Unusable,
}

impl Server {
    /// Makes a database in which `CREATE EXTENSION eventcore` has been run, and returns its URL.
    ///
    /// # Errors
    /// There is one of this name, or the extension is not installed or not preloaded.
    pub fn create_database(&self, name: &str) -> Result<String> {
        let mut template = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        if *template == Template::NotMade {
            self.create_template()?;
            *template = Template::Made;
        }
        if *template == Template::Made {
            let copy = format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}", quote_name(name));
            match self.psql("postgres", &copy) {
                Ok(_) => return Ok(self.url(name)),
                // 55006: object in use
                Err(error) if error.to_string().contains("55006") => *template = Template::Unusable,
                Err(error) => return Err(error),
            }
        }
        drop(template);
        let url = self.create_empty_database(name)?;
        self.psql(name, "CREATE EXTENSION eventcore")?;
        Ok(url)
    }

    /// Makes a database without the extension, and returns its URL.
    ///
    /// # Errors
    /// There is one of this name.
    pub fn create_empty_database(&self, name: &str) -> Result<String> {
        self.psql("postgres", &format!("CREATE DATABASE {}", quote_name(name)))?;
        Ok(self.url(name))
    }

    /// Runs SQL through psql and returns the rows: one per line, columns separated by `|`, no
    /// headings.
    ///
    /// Each statement is a transaction of its own.
    ///
    /// # Errors
    /// The first statement that fails ends it; the error has psql's verbose message with SQLSTATE,
    /// DETAIL and HINT.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = self.command("psql");
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-v",
            "VERBOSITY=verbose",
        ]);
        command.args(["-d", database, "-f", "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut psql = command.spawn().map_err(Error::io("run psql"))?;
        let input = psql.stdin.take();
        // From a thread: psql may print more than a pipe holds before it has read all of a long
        // script.
        let output = std::thread::scope(|scope| {
            scope.spawn(|| input.map(|mut input| input.write_all(sql.as_bytes())));
            psql.wait_with_output()
        });
        let output = output.map_err(Error::io("run psql"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout)
                .trim_end_matches('\n')
                .to_owned());
        }
        Err(Error::new(format!(
            "psql failed in the database {database}:\n{}",
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    /// A command that runs one of PostgreSQL's programs (`pgbench`, `pg_dump`, …) with this server
    /// as its default, through `PGHOST`, `PGPORT` and `PGUSER`.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.binaries.command(program);
        command.env("PGHOST", self.socket_folder());
        command
            .env("PGPORT", self.port().to_string())
            .env("PGUSER", SUPERUSER);
        command
    }

    fn create_template(&self) -> Result<()> {
        self.psql("postgres", &format!("CREATE DATABASE {TEMPLATE}"))?;
        self.psql(TEMPLATE, "CREATE EXTENSION eventcore")?;
        // No session may be connected while it is copied, including the extension's own worker.
        self.psql(
            "postgres",
            &format!(
                "ALTER DATABASE {TEMPLATE} IS_TEMPLATE true ALLOW_CONNECTIONS false;
                 SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                  WHERE datname = '{TEMPLATE}';"
            ),
        )?;
        Ok(())
    }
}

fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_for_sql() {
        assert_eq!(quote_name("a \"b\""), "\"a \"\"b\"\"\"");
    }
}
