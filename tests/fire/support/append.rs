//! Appends in the JSON form.

use serde_json::json;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

/// An append that is being built.
#[derive(Clone, Default)]
pub(crate) struct Append {
    pub(crate) streams: Vec<String>,
    pub(crate) expected: Vec<Option<i64>>,
    pub(crate) events: Vec<(String, Uuid)>,
}

/// What the server returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    pub(crate) versions: Vec<i64>,
    pub(crate) repeated: bool,
}

impl Append {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One event to one stream.
    pub(crate) fn one(stream: &str, expected: Option<i64>) -> Self {
        Self::new().check(stream, expected).event(stream)
    }

    pub(crate) fn check(mut self, stream: &str, expected: Option<i64>) -> Self {
        self.streams.push(stream.to_owned());
        self.expected.push(expected);
        self
    }

    /// Adds an event with a new id.
    pub(crate) fn event(self, stream: &str) -> Self {
        self.event_with_id(stream, Uuid::now_v7())
    }

    pub(crate) fn event_with_id(mut self, stream: &str, id: Uuid) -> Self {
        self.events.push((stream.to_owned(), id));
        self
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.events.iter().map(|(_, id)| *id)
    }

    pub(crate) async fn send(&self, session: &impl GenericClient) -> Result<Done, Error> {
        let events: Vec<_> = self
            .events
            .iter()
            .map(|(stream, id)| json!({"stream": stream, "type": "Happened", "payload": 1, "id": id}))
            .collect();
        let row = session
            .query_typed_one(
                "SELECT first_position, last_position, versions, repeated
                   FROM eventcore_append($1, $2, $3)",
                &[
                    (&self.streams, Type::TEXT_ARRAY),
                    (&self.expected, Type::INT8_ARRAY),
                    (&json!(events), Type::JSONB),
                ],
            )
            .await?;
        Ok(Done {
            first: row.get(0),
            last: row.get(1),
            versions: row.get(2),
            repeated: row.get(3),
        })
    }
}

/// Appends one event to a stream, unchecked, and returns its position.
pub(crate) async fn append_one(session: &impl GenericClient, stream: &str) -> i64 {
    let done = Append::one(stream, None).send(session).await.unwrap();
    done.last.unwrap()
}
