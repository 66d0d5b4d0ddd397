//! [`Session`]: one connection to a database with eventcore.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use eventcore::postgres::tokio_postgres::types::ToSql;
use eventcore::{PostgresEventStore, PostgresSession};
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, CopyOutStream, Row};

use crate::connection::Target;
use crate::error::{Error, ErrorKind};

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    application_name: String,
    is_read_only: bool,
    statement_timeout: Option<Duration>,
}

impl SessionOptions {
    /// A session that the server lets write nothing, and that shows this name in
    /// `pg_stat_activity`.
    pub fn read_only(application_name: impl Into<String>) -> Self {
        Self {
            application_name: application_name.into(),
            is_read_only: true,
            statement_timeout: None,
        }
    }

    /// A session that may write what its role may write.
    pub fn read_write(application_name: impl Into<String>) -> Self {
        Self {
            is_read_only: false,
            ..Self::read_only(application_name)
        }
    }

    /// The longest time for a statement. By default the server's setting.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }
}

/// The extension in a database.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Extension {
    /// The version of its objects.
    pub version: String,
    /// The schema of its public functions, as SQL writes it.
    pub schema: String,
}

/// One connection. Questions may be asked at the same time; the server answers them one by one.
#[derive(Debug)]
pub struct Session {
    connection: PostgresSession,
    extension: Option<Extension>,
    /// How many statements of eventcore's were run.
    statements: AtomicU64,
    /// The process of the server.
    pid: i32,
    running: Mutex<Statements>,
}

/// The statements that are running.
#[derive(Debug, Default)]
struct Statements {
    count: usize,
    since: Option<Instant>,
}

/// While it lives, a statement is running.
pub(crate) struct Running<'a>(&'a Session);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.0.running_now();
        running.count = running.count.saturating_sub(1);
        if running.count == 0 {
            running.since = None;
        }
    }
}

const EXTENSION: &str = "\
SELECT e.extversion, pg_catalog.quote_ident(n.nspname)
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'eventcore'";

/// The application's name is set here and not when connecting, because poolers refuse what they do
/// not know.
const SET_UP: &str = "\
SELECT pg_catalog.set_config('application_name', $1, false),
       pg_catalog.set_config('search_path', $2, false),
       pg_catalog.set_config('default_transaction_read_only', coalesce($3, pg_catalog.current_setting('default_transaction_read_only')), false),
       pg_catalog.set_config('statement_timeout', coalesce($4, pg_catalog.current_setting('statement_timeout')), false),
       pg_catalog.pg_backend_pid()";

impl Session {
    /// Connects. The functions of eventcore are found in whatever schema they are, whatever the
    /// `search_path` of the role, and no object of another schema can take their place.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or refuses the connection.
    pub async fn open(target: &Target, options: &SessionOptions) -> Result<Self, Error> {
        let builder =
            PostgresEventStore::builder(&target.conninfo()).map_err(Error::unreachable)?;
        let connection = builder.session().await.map_err(Error::unreachable)?;
        let found = connection.query_opt(EXTENSION, &[]).await?;
        let extension = found
            .map(|row| {
                Ok::<_, Error>(Extension {
                    version: row.try_get(0)?,
                    schema: row.try_get(1)?,
                })
            })
            .transpose()?;
        let search_path = match &extension {
            Some(extension) => format!("pg_catalog, {}, pg_temp", extension.schema),
            None => "pg_catalog, pg_temp".to_owned(),
        };
        let read_only = options.is_read_only.then_some("on");
        let timeout = options
            .statement_timeout
            .map(|timeout| timeout.as_millis().to_string());
        let row = connection
            .query_one(
                SET_UP,
                &[
                    &options.application_name,
                    &search_path,
                    &read_only,
                    &timeout,
                ],
            )
            .await?;
        Ok(Self {
            connection,
            extension,
            statements: AtomicU64::new(0),
            pid: row.try_get(4)?,
            running: Mutex::default(),
        })
    }

    /// The extension in this database.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn extension(&self) -> Result<&Extension, Error> {
        self.extension.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::NoExtension,
                "this database has no extension eventcore",
            )
            .with_hint("Run CREATE EXTENSION eventcore in it, or connect to another database.")
        })
    }

    /// Asks the server to cancel what this session is running.
    ///
    /// # Errors
    ///
    /// The server cannot be reached.
    pub async fn cancel(&self) -> Result<(), Error> {
        Ok(self.connection.cancel().await?)
    }

    /// Whether the connection is lost.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// How many statements the functions of this crate have run on this session.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The process of the server that runs the statements of this session.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Since when a statement of this session has been running, if one is.
    #[must_use]
    pub fn runs_since(&self) -> Option<Instant> {
        self.running_now().since
    }

    /// Notes that a statement is running.
    pub(crate) fn begins(&self) -> Running<'_> {
        let mut running = self.running_now();
        running.count += 1;
        running.since.get_or_insert_with(Instant::now);
        drop(running);
        Running(self)
    }

    fn running_now(&self) -> MutexGuard<'_, Statements> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements without parameters.
    pub(crate) async fn run_batch(&self, sql: &str) -> Result<(), Error> {
        let _running = self.begins();
        Ok(self.connection.batch_execute(sql).await?)
    }

    /// The connection, for what this crate has no function for.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.connection
    }

    /// Runs a statement of eventcore's, which is prepared once for the session.
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.extension()?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let _running = self.begins();
        match self.run(sql, parameters).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.explained(error).await),
        }
    }

    /// The objects may have been updated since the statement was prepared: then it is prepared again,
    /// once.
    async fn run(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.connection.prepared(sql).await?;
        match self.connection.query(&statement, parameters).await {
            Err(error) if is_outdated(&error) => {
                let statement = self.connection.prepare_again(sql).await?;
                Ok(self.connection.query(&statement, parameters).await?)
            }
            rows => Ok(rows?),
        }
    }

    /// The same for `COPY … TO STDOUT`.
    pub(crate) async fn copy_out(&self, sql: &'static str) -> Result<CopyOutStream, Error> {
        self.extension()?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let _running = self.begins();
        let statement = self.connection.prepared(sql).await?;
        Ok(self.connection.copy_out(&statement).await?)
    }

    /// The error, with what to do if it comes from objects of another version than this program's. The
    /// server's own hint speaks of misspelled names.
    pub(crate) async fn explained(&self, error: Error) -> Error {
        if !error.is_of_missing_object() {
            return error;
        }
        // They may have been updated since the session began. In a transaction that has failed it
        // cannot be asked.
        let found = self
            .connection
            .query_opt(EXTENSION, &[])
            .await
            .ok()
            .flatten();
        let found = found.and_then(|row| row.try_get::<_, String>(0).ok());
        let known = self
            .extension
            .as_ref()
            .map(|extension| extension.version.clone());
        match found
            .or(known)
            .and_then(|objects| other_version(&objects, OURS))
        {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// The same for a statement that returns at most one row.
    pub(crate) async fn query_opt(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, parameters).await?.into_iter().next())
    }

    /// The same for a statement that returns one row.
    pub(crate) async fn query_one(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error> {
        let row = self.query_opt(sql, parameters).await?;
        row.ok_or_else(|| Error::new(ErrorKind::Failed, "the server returned no row"))
    }
}

/// The version of this program, and of the objects that it knows.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// Whether the result of a prepared statement has changed since. The message is in the language of the
/// server, and the SQLSTATE says less.
fn is_outdated(error: &tokio_postgres::Error) -> bool {
    let said = error.as_db_error();
    said.and_then(DbError::routine) == Some("RevalidateCachedQuery")
}

/// What to do if the objects of a database have another version than this program; `None` if they have
/// the same, or one that is no number.
fn other_version(objects: &str, ours: &str) -> Option<String> {
    let numbers = |version: &str| -> Option<Vec<u64>> {
        let parts = version.split('.').map(str::parse);
        parts.collect::<Result<_, _>>().ok()
    };
    let what = match numbers(objects)?.cmp(&numbers(ours)?) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => "Run ALTER EXTENSION eventcore UPDATE.".to_owned(),
        std::cmp::Ordering::Greater => format!("Use the program of version {objects}."),
    };
    Some(format!(
        "The objects of eventcore in this database are of version {objects}, and this program is of version {ours}. {what}"
    ))
}

#[cfg(test)]
mod tests {
    use super::other_version;

    #[test]
    fn what_helps_against_objects_of_another_version_is_told() {
        let older = other_version("0.1.0", "0.2.0").unwrap();
        assert!(
            older.ends_with("Run ALTER EXTENSION eventcore UPDATE."),
            "{older}"
        );
        let newer = other_version("0.10.0", "0.2.0").unwrap();
        assert!(
            newer.ends_with("Use the program of version 0.10.0."),
            "{newer}"
        );
        assert_eq!(other_version("0.2.0", "0.2.0"), None);
        assert_eq!(other_version("next", "0.2.0"), None);
    }
}
