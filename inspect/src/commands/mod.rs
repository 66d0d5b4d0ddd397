//! Commands that run inside the database.

mod executions;
mod kept;
mod state;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;

pub use self::executions::{Execution, execution, executions};
pub use self::kept::{KeptState, kept_states};
pub use self::state::{StreamState, state};
use crate::error::Error;
use crate::row::{FromRow, all, from_row, named};
use crate::session::Session;
use crate::time::Time;

/// A row of `eventcore.commands`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the table describes its columns")]
pub struct Command {
    pub name: String,
    pub apply: String,
    pub handle: String,
    pub related_streams: Option<String>,
    pub streams_function: Option<String>,
    pub combine: Option<String>,
    pub streams: Option<Vec<String>>,
    pub checked_streams: Option<Vec<String>>,
    #[schemars(with = "Option<serde_json::Value>")]
    pub required_fields: Option<Box<RawValue>>,
    #[schemars(with = "serde_json::Value")]
    pub initial_state: Box<RawValue>,
    pub max_attempts: i32,
    pub snapshot_every: i32,
    pub changed_at: Time,
    pub settings: Vec<String>,
}

macro_rules! commands {
    ($rest:literal) => {
        concat!("SELECT * FROM eventcore.commands ", $rest)
    };
}

const LIST: &str = commands!("ORDER BY name");
const LIST_AFTER: &str = commands!("WHERE name > $1 ORDER BY name LIMIT $2");
const SHOW: &str = commands!("WHERE name = $1");

impl FromRow for Command {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let required: Option<Json<Box<RawValue>>> = row.try_get("required_fields")?;
        let initial: Json<Box<RawValue>> = row.try_get("initial_state")?;
        Ok(Self {
            name: row.try_get("name")?,
            apply: row.try_get("apply")?,
            handle: row.try_get("handle")?,
            related_streams: row.try_get("related_streams")?,
            streams_function: row.try_get("streams_function")?,
            combine: row.try_get("combine")?,
            streams: row.try_get("streams")?,
            checked_streams: row.try_get("checked_streams")?,
            required_fields: required.map(|Json(text)| text),
            initial_state: initial.0,
            max_attempts: row.try_get("max_attempts")?,
            snapshot_every: row.try_get("snapshot_every")?,
            changed_at: row.try_get("changed_at")?,
            settings: row.try_get("settings")?,
        })
    }
}

/// All commands, by name.
///
/// # Errors
///
/// The role may not read them, or the connection is lost.
pub async fn list(session: &Session) -> Result<Vec<Command>, Error> {
    all(session, LIST, &[]).await
}

/// Commands after this name, in the order of the bytes of their names. The first page is after the
/// empty name.
///
/// # Errors
///
/// Like [`list`].
pub async fn list_after(session: &Session, after: &str, limit: i64) -> Result<Vec<Command>, Error> {
    all(session, LIST_AFTER, &[&after, &limit]).await
}

/// One command.
///
/// # Errors
///
/// There is none of this name, the role may not read it, or the connection is lost.
pub async fn show(session: &Session, name: &str) -> Result<Command, Error> {
    named(session, SHOW, "command", name).await
}

from_row! {
    /// One function of a command.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct Source {
        /// What it does for the command: `apply`, `handle` and so on.
        pub part: String,
        /// Its name and the types of its arguments.
        pub signature: String,
        /// Its definition in SQL; `None` if it does not exist any more.
        pub definition: Option<String>,
    }
}

const SOURCES: &str = "\
SELECT f.part, f.signature, pg_get_functiondef(to_regprocedure(f.signature)) AS definition
  FROM eventcore.commands c
 CROSS JOIN LATERAL (VALUES ('apply', c.apply), ('handle', c.handle), ('related_streams', c.related_streams),
                            ('streams_function', c.streams_function), ('combine', c.combine)) f (part, signature)
 WHERE c.name = $1 AND f.signature IS NOT NULL";

/// The functions of a command, as they are now.
///
/// # Errors
///
/// The role may not read them, or the connection is lost.
pub async fn sources(session: &Session, name: &str) -> Result<Vec<Source>, Error> {
    all(session, SOURCES, &[&name]).await
}
