//! Events as lines of JSON, as fast as the server sends rows.
//!
//! The first line is a [`Header`]. Each other line is an event, with the names of its columns, or
//! the state of a stream that takes no more events, `{"stream_id", "state", "reason"}`, at the end.

mod line;
mod rows;

use std::future::poll_fn;
use std::io;
use std::pin::pin;

use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use self::line::Lines;
use self::rows::Rows;
use crate::error::{Error, ErrorKind};
use crate::event::event_columns;
use crate::row::{all, from_row};
use crate::search::Window;
use crate::session::Session;

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

/// COPY takes no parameters.
const WINDOW: &str = "\
SELECT pg_catalog.set_config('eventcore_export.after', $1, false), pg_catalog.set_config('eventcore_export.up_to', $2, false),
       pg_catalog.set_config('eventcore_export.prefixes', ($3::text[])::text, false)";

macro_rules! copy {
    ($($more:literal)?) => {
        concat!(
            "COPY (SELECT ",
            event_columns!(),
            " FROM eventcore.events e
 WHERE e.position > current_setting('eventcore_export.after')::bigint AND e.position <= current_setting('eventcore_export.up_to')::bigint",
            $($more,)?
            " ORDER BY e.position) TO STDOUT (FORMAT binary)"
        )
    };
}

const ALL: &str = copy!();
const OF_PREFIXES: &str = copy!(
    "
   AND EXISTS (SELECT FROM unnest((SELECT current_setting('eventcore_export.prefixes')::text[])) p WHERE starts_with(e.stream_id, p))"
);

/// How many bytes of rows go to the writer's thread at once.
const PORTION: usize = 1 << 18;

/// How many portions wait for the writer at most.
const PORTIONS: usize = 4;

/// How many bytes of lines are written at once.
const CHUNK: usize = 1 << 16;

/// Writes the events of one window as lines. Returns how many, and the writer.
///
/// The server copies the rows in binary, in which a `jsonb` is its text, so no JSON is parsed on
/// the way. Lines are made and written on a thread of their own, beside the server: with all on the
/// thread that receives, an export was measured at 0.83 of a bare COPY, and so at 0.91.
///
/// # Errors
///
/// The role may not read events, the connection is lost, or the writer fails.
pub async fn events<W: io::Write + Send + 'static>(
    session: &Session,
    window: Window,
    prefixes: Option<&[String]>,
    out: W,
) -> Result<(u64, W), Error> {
    let (after, up_to) = (window.after.to_string(), window.up_to.to_string());
    session
        .query_one(WINDOW, &[&after, &up_to, &prefixes])
        .await?;
    let sql = match prefixes {
        Some(_) => OF_PREFIXES,
        None => ALL,
    };
    let mut pieces = pin!(session.copy_out(sql).await?);
    let (portions, received) = mpsc::channel(PORTIONS);
    let writing = tokio::task::spawn_blocking(|| write(received, out));
    let mut portion = Vec::with_capacity(PORTION);
    while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        portion.extend_from_slice(&piece?);
        if portion.len() >= PORTION {
            let full = std::mem::replace(&mut portion, Vec::with_capacity(PORTION));
            // The writer has failed, and says below why.
            if portions.send(full).await.is_err() {
                break;
            }
        }
    }
    // It has failed, too, if this fails.
    let _ = portions.send(portion).await;
    drop(portions);
    match writing.await {
        Ok(written) => written,
        Err(error) => Err(Error::new(ErrorKind::Failed, error.to_string())),
    }
}

/// Writes the events of a COPY as lines.
fn write<W: io::Write>(
    mut received: mpsc::Receiver<Vec<u8>>,
    mut out: W,
) -> Result<(u64, W), Error> {
    let (mut rows, mut lines, mut count) = (Rows::default(), Lines::default(), 0);
    while let Some(portion) = received.blocking_recv() {
        count += rows.take(&portion, |columns| {
            lines.push(columns)?;
            match lines.text().len() < CHUNK {
                true => Ok(()),
                false => lines.write_to(&mut out),
            }
        })?;
    }
    lines.write_to(&mut out)?;
    match rows.is_complete() {
        true => Ok((count, out)),
        false => Err(line::wrong("the last one is not whole")),
    }
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
