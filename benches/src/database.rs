//! Databases to measure on. Each is newly created: leftovers of an earlier work would make a table
//! larger than its reference's.

use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::Binaries;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// A running server with eventcore preloaded, and the programs that belong to it.
#[derive(Debug)]
pub struct Server {
    config: Config,
    binaries: Binaries,
}

/// A database on it with the extension. It is kept for inspection; the next one of the same name
/// replaces it.
#[derive(Debug)]
pub struct Database {
    config: Config,
    name: String,
    binaries: Binaries,
}

impl Server {
    /// The server of the database at `url`, and the programs in `EVENTCORE_PG_BIN`.
    ///
    /// # Errors
    /// The URL is invalid, or the programs are missing.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self {
            config: url.parse().context("the server's URL is malformed")?,
            binaries: Binaries::from_env()?,
        })
    }

    /// A session in the database that the URL names.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn connect(&self) -> Result<Client> {
        connect(&self.config).await
    }

    /// Creates the database `name` with the extension, and replaces an existing one.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn fresh_database(&self, name: &str) -> Result<Database> {
        self.database_with(name, "CREATE EXTENSION eventcore").await
    }

    /// Does the same with the objects of a release, which this library serves too.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn database_of_release(&self, name: &str, release: &str) -> Result<Database> {
        let create = format!("CREATE EXTENSION eventcore VERSION '{release}'");
        self.database_with(name, &create).await
    }

    async fn database_with(&self, name: &str, create_extension: &str) -> Result<Database> {
        let database = Database {
            config: self.config.clone().dbname(name).clone(),
            name: name.to_owned(),
            binaries: self.binaries.clone(),
        };
        self.drop_database(name).await?;
        let admin = self.connect().await?;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .with_context(|| format!("cannot make the database {name}"))?;
        database
            .execute(create_extension)
            .await
            .with_context(|| format!("cannot install eventcore in the database {name}"))?;
        Ok(database)
    }

    /// Drops the database `name`, if there is one.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        let admin = self.connect().await?;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await
            .with_context(|| format!("cannot drop the database {name}"))
    }
}

impl Database {
    /// A session of its own.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn connect(&self) -> Result<Client> {
        connect(&self.config).await
    }

    /// Runs SQL in a session of its own.
    ///
    /// # Errors
    /// The server's, with the SQL.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        let client = self.connect().await?;
        client
            .batch_execute(sql)
            .await
            .with_context(|| format!("the server refused:\n{sql}"))
    }

    /// A URL that any driver accepts.
    ///
    /// # Errors
    /// The server's URL has no host.
    pub fn url(&self) -> Result<String> {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => bail!("the server's URL names no host"),
        };
        let user = self.config.get_user().unwrap_or("postgres");
        let port = self.config.get_ports().first().unwrap_or(&5432);
        Ok(format!(
            "postgresql:///{}?host={host}&port={port}&user={user}",
            self.name
        ))
    }

    /// One of PostgreSQL's client programs with this database as its default.
    ///
    /// # Errors
    /// The server's URL has no host.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = self.binaries.command(program);
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => command.env("PGHOST", host),
            Some(Host::Unix(folder)) => command.env("PGHOST", folder),
            None => bail!("the server's URL names no host"),
        };
        if let Some(port) = self.config.get_ports().first() {
            command.env("PGPORT", port.to_string());
        }
        if let Some(user) = self.config.get_user() {
            command.env("PGUSER", user);
        }
        if let Some(password) = self.config.get_password() {
            command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
        }
        command.env("PGDATABASE", &self.name);
        Ok(command)
    }
}

async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context("cannot connect to the server")?;
    tokio::spawn(connection);
    Ok(client)
}
