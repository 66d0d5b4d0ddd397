//! Events as lines of JSON, as fast as the server sends rows.
//!
//! The first line is a [`Header`]. Each other line is an event, with the names of its columns, or
//! the state of a stream that takes no more events, `{"stream_id", "state", "reason"}`, at the end.

use std::fmt::Write as _;
use std::io;
use std::pin::pin;

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{FromSql, ToSql, Type, accepts};
use tokio_postgres::{Row, RowStream};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::event::event_columns;
use crate::row::{all, from_row};
use crate::search::Window;
use crate::session::Session;
use crate::time::Time;

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format: 1.
    pub eventcore_export: u32,
    /// The database.
    pub database: String,
    /// The version of the extension's objects.
    pub extension: String,
    /// All events up to here and after [`after`](Self::after) are in the export.
    pub safe_position: i64,
    /// The export begins after this position.
    pub after: i64,
    /// Only streams whose name begins with one of these; `None`: all.
    pub prefixes: Option<Vec<String>>,
}

const DATABASE: &str = "SELECT current_database()::text, eventcore_safe_position()";

impl Header {
    /// The header of an export that begins now.
    ///
    /// # Errors
    ///
    /// The role may not read, or the connection is lost.
    pub async fn new(
        session: &Session,
        after: i64,
        prefixes: Option<Vec<String>>,
    ) -> Result<Self, Error> {
        let row = session.query_one(DATABASE, &[]).await?;
        Ok(Self {
            eventcore_export: 1,
            database: row.try_get(0)?,
            extension: session.extension()?.version.clone(),
            safe_position: row.try_get(1)?,
            after,
            prefixes,
        })
    }
}

const EVENTS: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore.events e WHERE e.position > $1 AND e.position <= $2
   AND ($3::text[] IS NULL OR EXISTS (SELECT FROM unnest($3::text[]) p WHERE starts_with(e.stream_id, p)))
 ORDER BY e.position"
);

/// Writes the events of one window as lines. Returns how many.
///
/// Rows come in binary, in which a `jsonb` is its text, so no JSON is parsed on the way.
///
/// # Errors
///
/// The role may not read events, the connection is lost, or the writer fails.
pub async fn events(
    session: &Session,
    window: Window,
    prefixes: Option<&[String]>,
    out: &mut impl io::Write,
) -> Result<u64, Error> {
    let parameters: [&(dyn ToSql + Sync); 3] = [&window.after, &window.up_to, &prefixes];
    let mut rows = pin!(session.stream(EVENTS, &parameters).await?);
    let (mut count, mut line) = (0, String::new());
    while let Some(row) = next(&mut rows).await? {
        line.clear();
        write_event(&row, &mut line)?;
        out.write_all(line.as_bytes()).map_err(Error::of_writer)?;
        count += 1;
    }
    Ok(count)
}

async fn next(rows: &mut std::pin::Pin<&mut RowStream>) -> Result<Option<Row>, Error> {
    use futures_core::Stream;
    let row = std::future::poll_fn(|cx| rows.as_mut().poll_next(cx)).await;
    Ok(row.transpose()?)
}

/// A `jsonb` as its text.
struct Text<'a>(&'a str);

impl<'a> FromSql<'a> for Text<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        match raw.split_first() {
            Some((1, text)) => Ok(Self(std::str::from_utf8(text)?)),
            _ => Err("unknown version of jsonb".into()),
        }
    }

    accepts!(JSONB);
}

fn write_event(row: &Row, line: &mut String) -> Result<(), Error> {
    let position: i64 = row.try_get(0)?;
    let version: i64 = row.try_get(2)?;
    let id: Uuid = row.try_get(3)?;
    let payload: Text<'_> = row.try_get(5)?;
    let metadata: Option<Text<'_>> = row.try_get(6)?;
    let recorded_at: Time = row.try_get(9)?;
    // Writing to a String cannot fail.
    let _ = write!(line, "{{\"position\":{position},\"stream_id\":");
    quoted(row.try_get(1)?, line)?;
    let _ = write!(
        line,
        ",\"version\":{version},\"event_id\":\"{id}\",\"event_type\":"
    );
    quoted(row.try_get(4)?, line)?;
    let _ = write!(
        line,
        ",\"payload\":{},\"metadata\":{}",
        payload.0,
        metadata.as_ref().map_or("null", |text| text.0)
    );
    for (name, place) in [("correlation_id", 7), ("causation_id", 8)] {
        let _ = match row.try_get::<_, Option<Uuid>>(place)? {
            Some(id) => write!(line, ",\"{name}\":\"{id}\""),
            None => write!(line, ",\"{name}\":null"),
        };
    }
    let _ = writeln!(line, ",\"recorded_at\":\"{recorded_at}\"}}");
    Ok(())
}

fn quoted(text: &str, line: &mut String) -> Result<(), Error> {
    let quoted = serde_json::to_string(text);
    line.push_str(&quoted.map_err(|error| Error::new(ErrorKind::Failed, error.to_string()))?);
    Ok(())
}

from_row! {
    /// A stream that takes no more events.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct StreamState {
        /// The stream.
        pub stream_id: String,
        /// `closed` or `deleted`.
        pub state: String,
        /// The reason that was given.
        pub reason: Option<String>,
    }
}

const STATES: &str = "\
SELECT s.stream_id, s.state, s.reason FROM eventcore.streams s
 WHERE $1::text[] IS NULL OR EXISTS (SELECT FROM unnest($1::text[]) p WHERE starts_with(s.stream_id, p))
 ORDER BY s.stream_id";

/// The streams that take no more events.
///
/// # Errors
///
/// The role may not read them, or the connection is lost.
pub async fn states(
    session: &Session,
    prefixes: Option<&[String]>,
) -> Result<Vec<StreamState>, Error> {
    all(session, STATES, &[&prefixes]).await
}
