//! A reader of one node: follows all events there, whatever happens to the node, and logs them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::sleep;
use tokio_postgres::types::Type;
use tokio_postgres::{Config, Row};
use uuid::Uuid;

use super::Shared;
use super::session::{Failure, Session, query};
use crate::history::{Log, Seen};

pub(super) struct Reader {
    config: Config,
    shared: Arc<Shared>,
    log: Log,
    told: Vec<Told>,
}

/// An SE011 for a reader, and the events that it dropped because of it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) reader: String,
    pub(crate) after: i64,
    pub(crate) agreed: i64,
    pub(crate) forgotten: usize,
}

/// The DETAIL of SE011.
#[derive(Deserialize)]
struct Diverged {
    agreed: i64,
}

/// The two forms of calling the server's `eventcore_read_all`.
struct Calls {
    /// With the id of the last event, which proves the history where the position alone does not.
    with_event: bool,
}

impl Reader {
    pub(super) fn new(name: String, config: Config, shared: Arc<Shared>) -> Self {
        let log = Log {
            reader: name,
            ..Log::default()
        };
        Self {
            config,
            shared,
            log,
            told: Vec::new(),
        }
    }

    /// Reads until it is told the last position and has reached it, or has to stop.
    pub(super) async fn run(mut self) -> (Log, Vec<Told>) {
        while !self.is_done() {
            if let Err(failure) = self.follow().await {
                self.take(&failure);
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.log.complete = self.position() >= self.shared.end.load(Relaxed);
        (self.log, self.told)
    }

    fn position(&self) -> i64 {
        self.log.seen.last().map_or(0, |seen| seen.position)
    }

    fn is_done(&self) -> bool {
        self.shared.readers_stop.load(Relaxed) || self.position() >= self.shared.end.load(Relaxed)
    }

    /// Reads on one connection until it fails.
    async fn follow(&mut self) -> Result<(), Failure> {
        let session = Session::connect(&self.config).await?;
        let calls = Calls::find(&session).await?;
        while !self.is_done() {
            let after = self.position();
            let event = self.log.seen.last().map(|seen| seen.id);
            let rows = calls.read_all(&session, after, event).await?;
            for row in &rows {
                self.log.seen.push(Seen {
                    position: row.get("position"),
                    id: row.get("event_id"),
                    version: row.get("version"),
                });
            }
            if rows.is_empty() {
                let wait = "CALL eventcore_wait($1, '1 second')";
                query(&session, wait, &[(&after, Type::INT8)]).await?;
            }
        }
        Ok(())
    }

    /// SE011 sends the reader back to the point that both histories share; after any other failure
    /// it reconnects.
    fn take(&mut self, failure: &Failure) {
        if failure.sqlstate() != Some("SE011") {
            return;
        }
        let after = self.position();
        let detail = failure
            .detail()
            .and_then(|text| serde_json::from_str::<Diverged>(text).ok());
        let Some(Diverged { agreed }) = detail else {
            let text = format!(
                "{}: SE011 without `agreed`: {}",
                self.log.reader,
                failure.text()
            );
            return self.shared.violation(text);
        };
        let before = self.log.seen.len();
        self.log.seen.retain(|seen| seen.position <= agreed);
        self.told.push(Told {
            reader: self.log.reader.clone(),
            after,
            agreed,
            forgotten: before - self.log.seen.len(),
        });
    }
}

impl Calls {
    async fn find(session: &Session) -> Result<Self, Failure> {
        let query_text = "SELECT bool_or('after_event' = ANY (proargnames)) FROM pg_proc WHERE proname = 'eventcore_read_all'";
        let rows = query(session, query_text, &[]).await?;
        let with_event = rows.first().and_then(|row| row.get::<_, Option<bool>>(0));
        Ok(Self {
            with_event: with_event.unwrap_or(false),
        })
    }

    async fn read_all(
        &self,
        session: &Session,
        after: i64,
        event: Option<Uuid>,
    ) -> Result<Vec<Row>, Failure> {
        if self.with_event {
            let statement = "SELECT position, event_id, version
                               FROM eventcore_read_all(after_position => $1, max_count => 500, after_event => $2)";
            query(
                session,
                statement,
                &[(&after, Type::INT8), (&event, Type::UUID)],
            )
            .await
        } else {
            let statement = "SELECT position, event_id, version FROM eventcore_read_all($1, 500)";
            query(session, statement, &[(&after, Type::INT8)]).await
        }
    }
}
