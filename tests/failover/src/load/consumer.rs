//! A consumer of a durable subscription: polls the current primary, acknowledges its events, and
//! logs both.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Config;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::Shared;
use super::session::{Failure, Session, query};
use crate::deliveries::Step;
use crate::history::Seen;

/// Short, so that events of a lost consumer are soon delivered again.
pub(super) const CREATE: &str =
    "SELECT eventcore_create_subscription('audit', lease => '5 seconds', retry_limit => 100)";

pub(super) struct Consumer {
    config: Config,
    shared: Arc<Shared>,
    steps: Vec<Step>,
    given: HashSet<i64>,
}

impl Consumer {
    pub(super) fn new(config: Config, shared: Arc<Shared>) -> Self {
        Self {
            config,
            shared,
            steps: Vec::new(),
            given: HashSet::new(),
        }
    }

    /// Consumes until it has received everything in the final history, or has to stop.
    pub(super) async fn run(mut self) -> Vec<Step> {
        while !self.is_done() {
            let _ = self.consume().await;
            sleep(Duration::from_millis(100)).await;
        }
        self.steps
    }

    fn is_done(&self) -> bool {
        let all = self.shared.all.get();
        let all_given =
            all.is_some_and(|all| all.iter().all(|position| self.given.contains(position)));
        all_given || self.shared.readers_stop.load(Relaxed)
    }

    /// Consumes on one connection until it fails.
    async fn consume(&mut self) -> Result<(), Failure> {
        let session = Session::connect(&self.config).await?;
        while !self.is_done() {
            let poll = "SELECT lease_id, position, event_id, version
                          FROM eventcore_poll('audit', 'consumer', max_count => 100, wait => '1 second')";
            let rows = query(&session, poll, &[]).await?;
            if session.take_unconfirmed() {
                // The standbys may not know this lease, so its events are not handled.
                continue;
            }
            let Some(lease) = rows.first().map(|row| row.get::<_, Uuid>("lease_id")) else {
                continue;
            };
            let mut positions = Vec::new();
            for row in &rows {
                let seen = Seen {
                    position: row.get("position"),
                    id: row.get("event_id"),
                    version: row.get("version"),
                };
                positions.push(seen.position);
                self.given.insert(seen.position);
                self.steps.push(Step::Given(seen));
            }
            let acknowledge = "SELECT eventcore_ack('audit', $1, $2)";
            query(
                &session,
                acknowledge,
                &[(&lease, Type::UUID), (&positions, Type::INT8_ARRAY)],
            )
            .await?;
            if !session.take_unconfirmed() {
                self.steps
                    .extend(positions.into_iter().map(Step::Acknowledged));
            }
        }
        Ok(())
    }
}
