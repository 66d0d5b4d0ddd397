//! Databases on the private server.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::cluster::PrivateServer;

impl PrivateServer {
    /// Makes a database with the extension, unless there is one.
    pub(crate) fn ensure_database(&self, name: &str) -> Result<()> {
        let found = self.sql(
            "postgres",
            &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"),
        )?;
        if found.is_empty() {
            self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        }
        self.sql(name, "CREATE EXTENSION IF NOT EXISTS eventcore")
            .map(|_| ())
    }

    /// Creates a database with the extension, and replaces an existing one.
    pub(crate) fn fresh_database(&self, name: &str) -> Result<()> {
        self.sql(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )?;
        self.ensure_database(name)
    }

    pub(super) fn set_password(&self) -> Result<()> {
        // Through standard input, because every user of the machine can read arguments.
        let password = self.folder.password()?;
        self.sql(
            "postgres",
            &format!("ALTER ROLE postgres PASSWORD '{password}'"),
        )
        .map(|_| ())
    }

    /// Runs SQL of this program, with trusted names, through psql.
    fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.command("psql");
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            "-",
            "-d",
            database,
        ]);
        psql.env("PGOPTIONS", "-c client_min_messages=warning");
        let mut child = psql
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run psql")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(sql.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        bail!(
            "the private server refused to prepare the database {database}:\n{}\n\
             Its log is {}; `cargo xtask server reset` starts with an empty one",
            message.trim(),
            self.folder.log().display()
        )
    }
}
