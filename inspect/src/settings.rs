//! The settings of eventcore, and those of PostgreSQL that it depends on.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use crate::error::Error;
use crate::session::Session;

/// A setting, as this session has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, with its unit.
    pub value: String,
    /// The value that it has if nothing sets it, with its unit.
    pub default: Option<String>,
    /// What sets it, in the words of `pg_settings`: `default`, `configuration file`, `database` and
    /// so on.
    pub source: String,
    /// The file that sets it and the line there, if it is a file that the role may know.
    pub file: Option<String>,
    /// What a change needs.
    pub changed_by: ChangedBy,
    /// Whether a file has another value that waits for a restart.
    pub pending_restart: bool,
    /// What it does.
    pub description: String,
    /// Whether it is a setting of eventcore itself.
    pub is_ours: bool,
}

/// What a change of a setting needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangedBy {
    /// The server is built with it.
    Nothing,
    /// A restart of the server.
    Restart,
    /// A reload of the configuration.
    Reload,
    /// A new connection.
    Reconnect,
    /// A superuser, at any time.
    Superuser,
    /// Any role, at any time.
    Anybody,
}

impl ChangedBy {
    fn of_context(context: &str) -> Self {
        match context {
            "internal" => Self::Nothing,
            "postmaster" => Self::Restart,
            "sighup" => Self::Reload,
            "superuser-backend" | "backend" => Self::Reconnect,
            "superuser" => Self::Superuser,
            _ => Self::Anybody,
        }
    }

    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Reconnect => "new connection",
            Self::Superuser => "superusers, any time",
            Self::Anybody => "any role, any time",
        }
    }
}

/// Those of PostgreSQL are the ones of the manual's pages on configuration and durability. No
/// [`Session`] sets one of them for itself.
const LIST: &str = "\
SELECT s.name, concat(s.setting, u.unit) AS value, s.boot_val || u.unit AS default_value,
       s.source, s.sourcefile || ':' || s.sourceline AS file, s.context, s.pending_restart, s.short_desc,
       s.name LIKE 'eventcore.%' AS is_ours
  FROM pg_settings s
 CROSS JOIN LATERAL (SELECT coalesce(CASE WHEN s.vartype IN ('integer', 'real') THEN ' ' || s.unit END, '') AS unit) u
 WHERE s.name LIKE 'eventcore.%'
    OR s.name IN ('shared_preload_libraries', 'max_worker_processes', 'max_connections', 'max_locks_per_transaction',
                  'max_prepared_transactions', 'idle_in_transaction_session_timeout', 'transaction_timeout', 'fsync',
                  'full_page_writes', 'synchronous_commit', 'synchronous_standby_names', 'wal_level', 'archive_mode',
                  'default_transaction_isolation')
 ORDER BY s.name NOT LIKE 'eventcore.%', s.name";

/// The settings of eventcore, then those of PostgreSQL that matter to it, each by name.
///
/// # Errors
///
/// The connection is lost.
pub async fn list(session: &Session) -> Result<Vec<Setting>, Error> {
    let rows = session.query(LIST, &[]).await?;
    let setting = |row: &Row| {
        Ok(Setting {
            name: row.try_get("name")?,
            value: row.try_get("value")?,
            default: row.try_get("default_value")?,
            source: row.try_get("source")?,
            file: row.try_get("file")?,
            changed_by: ChangedBy::of_context(row.try_get("context")?),
            pending_restart: row.try_get("pending_restart")?,
            description: row.try_get("short_desc")?,
            is_ours: row.try_get("is_ours")?,
        })
    };
    rows.iter().map(setting).collect()
}
