//! Waiting until a projection has reached a position, or until its rebuild has taken its place.

use std::time::Duration;

use tokio_postgres::Row;

use crate::error::{Error, ErrorKind};
use crate::session::Session;

const WAIT: &str = "CALL eventcore_wait_for_projection($1, $2, $3::text::interval)";

/// Waits until a projection has reached a position, or until the time is up. Returns its checkpoint,
/// which is lower than the position if the time was up.
///
/// # Errors
///
/// There is no such projection (SE007), it has failed (SE009), the role is no `eventcore_reader`
/// (42501), or the connection is lost.
pub async fn wait(
    session: &Session,
    name: &str,
    position: i64,
    longest: Duration,
) -> Result<i64, Error> {
    let longest = format!("{} ms", longest.as_millis());
    let row = session
        .query_one(WAIT, &[&name, &position, &longest])
        .await?;
    Ok(row.try_get(0)?)
}

const LAST_POSITION: &str = "SELECT coalesce(max(e.position), 0) FROM eventcore.events e";

/// The position of the last event that is committed: where a projection has to be to show everything.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn last_position(session: &Session) -> Result<i64, Error> {
    Ok(session.query_one(LAST_POSITION, &[]).await?.try_get(0)?)
}

/// How far a rebuild with a shadow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildProgress {
    /// It has handled the events up to here.
    At(i64),
    /// It has taken the place of the projection.
    Done,
    /// It was dropped.
    Dropped,
}

/// Watches the rebuild of a projection.
#[derive(Debug)]
pub struct RebuildWatch {
    projection: String,
    rebuild: String,
    /// The transaction that changed the projection last, when the rebuild was seen last.
    changed_by: String,
}

const CHANGED_BY: &str = "SELECT p.xmin::text FROM eventcore.projections p WHERE p.name = $1";

/// More than any position, so that the wait ends when the rebuild does.
const NEVER: i64 = i64::MAX;

impl RebuildWatch {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// There is no such projection, the role is no `eventcore_reader` (42501), or the connection is
    /// lost.
    pub async fn new(session: &Session, projection: &str) -> Result<Self, Error> {
        Ok(Self {
            projection: projection.to_owned(),
            rebuild: format!("{projection}/rebuild"),
            changed_by: changed_by(session, projection).await?,
        })
    }

    /// The name of the rebuild, which is a projection too.
    #[must_use]
    pub fn rebuild(&self) -> &str {
        &self.rebuild
    }

    /// Waits until the rebuild has ended, or until the time is up.
    ///
    /// Its end changes the projection, and a drop does not. A drop is taken for an end only if the
    /// projection handled events of its own since the last call.
    ///
    /// # Errors
    ///
    /// The rebuild has failed (SE009), the projection was dropped, or the connection is lost.
    pub async fn wait(
        &mut self,
        session: &Session,
        longest: Duration,
    ) -> Result<RebuildProgress, Error> {
        match wait(session, &self.rebuild, NEVER, longest).await {
            Ok(checkpoint) => {
                self.changed_by = changed_by(session, &self.projection).await?;
                Ok(RebuildProgress::At(checkpoint))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let now = changed_by(session, &self.projection).await?;
                Ok(match now == self.changed_by {
                    true => RebuildProgress::Dropped,
                    false => RebuildProgress::Done,
                })
            }
            Err(error) => Err(error),
        }
    }
}

async fn changed_by(session: &Session, projection: &str) -> Result<String, Error> {
    let row = session.query_opt(CHANGED_BY, &[&projection]).await?;
    let found = row.map(|row: Row| row.try_get(0)).transpose()?;
    found.ok_or_else(|| Error::not_found(format!("there is no projection named {projection:?}")))
}
