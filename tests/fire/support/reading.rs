//! Reading events, and checking them.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient, Row};
use uuid::Uuid;

/// An event as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) position: i64,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) id: Uuid,
}

impl From<Row> for Seen {
    fn from(row: Row) -> Self {
        Self {
            position: row.get(0),
            stream: row.get(1),
            version: row.get(2),
            id: row.get(3),
        }
    }
}

pub(crate) async fn read_all(
    session: &impl GenericClient,
    after: i64,
    max_count: i64,
) -> Result<Vec<Seen>, Error> {
    let rows = session
        .query_typed(
            "SELECT position, stream_id, version, event_id FROM eventcore_read_all($1, $2)",
            &[(&after, Type::INT8), (&max_count, Type::INT8)],
        )
        .await?;
    Ok(rows.into_iter().map(Seen::from).collect())
}

pub(crate) async fn safe_position(session: &impl GenericClient) -> Result<i64, Error> {
    let row = session.query_typed_one("SELECT eventcore_safe_position()", &[]);
    Ok(row.await?.get(0))
}

/// `CALL eventcore_wait`, with a timeout in seconds.
pub(crate) async fn wait(
    session: &impl GenericClient,
    after: i64,
    timeout: u32,
) -> Result<i64, Error> {
    let call = format!("CALL eventcore_wait({after}, '{timeout} s')");
    Ok(session.query_typed_one(&call, &[]).await?.get(0))
}

/// The contents of the table, once nothing is in flight.
pub(crate) async fn truth(session: &impl GenericClient) -> Vec<Seen> {
    let rows = session
        .query_typed(
            "SELECT position, stream_id, version, event_id FROM eventcore.events ORDER BY position",
            &[],
        )
        .await
        .unwrap();
    let events: Vec<Seen> = rows.into_iter().map(Seen::from).collect();
    let mut follower = Follower::new("the table");
    follower.take(events.clone());
    events
}

/// Checks what a reader sees while it reads.
pub(crate) struct Follower {
    pub(crate) name: &'static str,
    pub(crate) seen: Vec<Seen>,
    ids: HashSet<Uuid>,
    versions: HashMap<String, i64>,
}

impl Follower {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            seen: Vec::new(),
            ids: HashSet::new(),
            versions: HashMap::new(),
        }
    }

    pub(crate) fn last(&self) -> i64 {
        self.seen.last().map_or(0, |event| event.position)
    }

    /// Each position is above the last one, no event comes twice, and versions are 1, 2, 3, … .
    pub(crate) fn take(&mut self, events: Vec<Seen>) {
        for event in events {
            assert!(
                event.position > self.last(),
                "{}: {event:?} after position {}",
                self.name,
                self.last()
            );
            assert!(self.ids.insert(event.id), "{}: {event:?} twice", self.name);
            let version = self.versions.entry(event.stream.clone()).or_default();
            assert_eq!(event.version, *version + 1, "{}: {event:?}", self.name);
            *version = event.version;
            self.seen.push(event);
        }
    }

    /// Exactly these events were seen.
    pub(crate) fn saw_exactly(&self, truth: &[Seen]) {
        let missed: Vec<_> = truth
            .iter()
            .filter(|event| !self.ids.contains(&event.id))
            .collect();
        assert!(
            missed.is_empty(),
            "{} missed {} of {}: {:?} …",
            self.name,
            missed.len(),
            truth.len(),
            &missed[..missed.len().min(3)]
        );
        assert!(
            self.seen == truth,
            "{} saw {} events, {} were committed",
            self.name,
            self.seen.len(),
            truth.len()
        );
    }
}
