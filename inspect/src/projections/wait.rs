//! Waiting until a projection has reached a position, or until its rebuild has taken its place.

use std::time::Duration;

use tokio_postgres::Row;

use crate::actions::{ProjectionAction, change_projection};
use crate::error::Error;
use crate::session::Session;
use crate::transaction::Transaction;

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

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildProgress {
    /// It has handled the events up to here.
    At(i64),
    /// It shows everything that was committed when it began; one with a shadow has taken the place of
    /// the projection.
    Done,
    /// It was dropped, by itself or with its projection.
    Dropped,
    /// It has ended, and another rebuild has taken the place of the projection since: the store no
    /// longer knows how this one ended.
    Superseded,
}

/// Watches a rebuild of a projection, by what the store records of it and not by what seems to have
/// changed.
#[derive(Debug)]
pub struct RebuildWatch {
    projection: String,
    /// When the projection was created: another one may get its name.
    created_at: String,
    /// The position of the last event when the rebuild began.
    target: i64,
    shadow: Option<Shadow>,
}

/// A rebuild with a shadow, which is a projection too.
#[derive(Debug)]
struct Shadow {
    name: String,
    /// Its schema, which no other rebuild has.
    schema: Option<String>,
    /// The schema of the rebuild that had taken the place of the projection before.
    before: Option<String>,
}

/// What the store records of a projection and of its rebuild.
struct Record {
    created_at: String,
    checkpoint: i64,
    is_to_reset: bool,
    last_rebuild: Option<String>,
    shadow_schema: Option<String>,
}

const RECORD: &str = "\
SELECT p.created_at::text, p.checkpoint, p.reset_pending, p.last_rebuild,
       (SELECT r.shadow_schema FROM eventcore.projections r WHERE r.rebuilds = p.name AND r.owner = p.owner)
  FROM eventcore.projections p WHERE p.name = $1";

/// More than any position, so that the wait ends when the rebuild does.
const NEVER: i64 = i64::MAX;

impl RebuildWatch {
    /// Begins a rebuild, and to watch it. Needs `eventcore_projector` and membership in the owner of
    /// the projection.
    ///
    /// # Errors
    ///
    /// There is no such projection (SE007), it cannot be rebuilt (SE003), the role may not change it
    /// (42501), the objects are older than 0.2.0, or the connection is lost. Then nothing has begun.
    pub async fn begin(
        session: &Session,
        projection: &str,
        with_shadow: bool,
    ) -> Result<Self, Error> {
        // In one transaction: a rebuild may end in a moment, and another one may begin.
        let transaction = Transaction::read_write(session).await?;
        let action = ProjectionAction::Rebuild { with_shadow };
        change_projection(session, projection, action).await?;
        let found = record(session, projection).await?;
        let found = found.ok_or_else(|| not_found(projection))?;
        transaction.commit().await?;
        let shadow = with_shadow.then(|| Shadow {
            name: format!("{projection}/rebuild"),
            schema: found.shadow_schema,
            before: found.last_rebuild,
        });
        Ok(Self {
            projection: projection.to_owned(),
            created_at: found.created_at,
            target: last_position(session).await?,
            shadow,
        })
    }

    /// The name of the projection that handles the events: with a shadow it is one of its own.
    #[must_use]
    pub fn watched(&self) -> &str {
        let shadow = self.shadow.as_ref();
        shadow.map_or(&self.projection, |shadow| &shadow.name)
    }

    /// The position of the last event when the rebuild began.
    #[must_use]
    pub fn target(&self) -> i64 {
        self.target
    }

    /// Waits until the rebuild has ended, or until the time is up.
    ///
    /// # Errors
    ///
    /// The rebuild has failed (SE009), the projection was dropped, or the connection is lost.
    pub async fn wait(
        &self,
        session: &Session,
        longest: Duration,
    ) -> Result<RebuildProgress, Error> {
        let until = if self.shadow.is_some() {
            NEVER
        } else {
            self.target
        };
        let waited = wait(session, self.watched(), until, longest).await;
        if let Err(error) = &waited
            && !matches!(error.sqlstate(), Some("SE007" | "SE009"))
        {
            return waited.map(RebuildProgress::At);
        }
        // What the wait has met may be another projection or rebuild of this name.
        let Some(found) = record(session, &self.projection).await? else {
            return Err(not_found(&self.projection));
        };
        if found.created_at != self.created_at {
            return Ok(RebuildProgress::Dropped);
        }
        let Some(shadow) = &self.shadow else {
            let is_done = !found.is_to_reset && found.checkpoint >= self.target;
            return match is_done {
                true => Ok(RebuildProgress::Done),
                false => waited.map(RebuildProgress::At),
            };
        };
        if found.shadow_schema == shadow.schema {
            return waited.map(RebuildProgress::At);
        }
        Ok(match found.last_rebuild {
            last if last == shadow.schema => RebuildProgress::Done,
            last if last == shadow.before => RebuildProgress::Dropped,
            _ => RebuildProgress::Superseded,
        })
    }
}

async fn record(session: &Session, projection: &str) -> Result<Option<Record>, Error> {
    let row = session.query_opt(RECORD, &[&projection]).await?;
    row.map(|row: Row| {
        Ok(Record {
            created_at: row.try_get(0)?,
            checkpoint: row.try_get(1)?,
            is_to_reset: row.try_get(2)?,
            last_rebuild: row.try_get(3)?,
            shadow_schema: row.try_get(4)?,
        })
    })
    .transpose()
}

fn not_found(projection: &str) -> Error {
    Error::not_found(format!("there is no projection named {projection:?}"))
}
