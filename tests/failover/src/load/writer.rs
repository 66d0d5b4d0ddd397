//! A writer: appends to a stream of its own, and sometimes to a shared one. It repeats an
//! unanswered append with the same ids and expected versions until it gets an answer.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::Type;
use tokio_postgres::{Config, NoTls};
use uuid::Uuid;

use super::Shared;
use super::session::{Failure, Session};
use crate::history::Acknowledged;
use crate::random::Random;

/// How long a writer waits for an answer before it acts.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const SHARED_STREAMS: u64 = 2;

pub(super) struct Writer {
    number: u32,
    config: Config,
    random: Random,
    shared: Arc<Shared>,
    session: Option<Session>,
    /// As far as this writer knows.
    versions: HashMap<String, i64>,
    acknowledged: Vec<Acknowledged>,
}

/// One append; every attempt sends the same.
struct Append {
    streams: Vec<String>,
    expected: Vec<Option<i64>>,
    events: serde_json::Value,
    ids: Vec<Uuid>,
}

struct Answer {
    first: i64,
    last: i64,
    versions: Vec<i64>,
    repeated: bool,
    unconfirmed: bool,
}

impl Writer {
    pub(super) fn new(number: u32, config: Config, random: Random, shared: Arc<Shared>) -> Self {
        Self {
            number,
            config,
            random,
            shared,
            session: None,
            versions: HashMap::new(),
            acknowledged: Vec::new(),
        }
    }

    /// Appends until told to stop; returns the acknowledged appends.
    pub(super) async fn run(mut self) -> Vec<Acknowledged> {
        let mut number = 0;
        while !self.shared.writers_stop.load(Relaxed) {
            number += 1;
            let append = self.next(number);
            self.until_answered(&append).await;
            sleep(self.random.millis(20, 120)).await;
        }
        self.acknowledged
    }

    fn next(&mut self, number: u32) -> Append {
        let mut streams = vec![format!("writer-{}", self.number)];
        if self.random.once_in(6) {
            streams.push(format!("shared-{}", self.random.below(SHARED_STREAMS)));
        }
        let of = streams.len() + usize::from(self.random.once_in(3));
        let ids: Vec<Uuid> = (0..of).map(|_| Uuid::now_v7()).collect();
        let events = ids.iter().enumerate().map(|(index, id)| {
            let payload =
                json!({"writer": self.number, "append": number, "index": index, "of": of});
            // The first event of each stream; the rest are the writer's own.
            let stream = streams.get(index).unwrap_or(&streams[0]);
            json!({"stream": stream, "type": "Written", "payload": payload, "id": id})
        });
        Append {
            events: events.collect(),
            expected: streams
                .iter()
                .map(|stream| Some(self.versions.get(stream).copied().unwrap_or(0)))
                .collect(),
            streams,
            ids,
        }
    }

    /// Sends the append until it is acknowledged or in conflict.
    async fn until_answered(&mut self, append: &Append) {
        loop {
            match self.send(append).await {
                // A commit that is not confirmed may still be lost: only the answer to a repeat
                // counts.
                Ok(answer) if answer.unconfirmed => {
                    self.shared.count(|counts| counts.unconfirmed += 1)
                }
                Ok(answer) => return self.acknowledge(append, answer),
                Err(failure) if failure.sqlstate() == Some("SE001") => {
                    if self.learn_versions(append).await {
                        return;
                    }
                }
                Err(failure) => {
                    self.shared.count(|counts| counts.errors += 1);
                    if failure
                        .sqlstate()
                        .is_some_and(|code| code.starts_with("SE"))
                    {
                        let text = format!("writer {}: {}", self.number, failure.text());
                        self.shared.violation(text);
                    }
                    self.session = None;
                }
            }
            sleep(self.random.millis(50, 250)).await;
        }
    }

    fn acknowledge(&mut self, append: &Append, answer: Answer) {
        self.shared.acknowledge();
        self.shared
            .count(|counts| counts.repeated += u64::from(answer.repeated));
        let versions: Vec<_> = append
            .streams
            .iter()
            .cloned()
            .zip(answer.versions)
            .collect();
        self.versions.extend(versions.iter().cloned());
        self.acknowledged.push(Acknowledged {
            ids: append.ids.clone(),
            first: answer.first,
            last: answer.last,
            versions,
        });
    }

    /// Checks the streams after a conflict; returns whether the append is finished.
    ///
    /// Only this writer writes to its own stream. So a server on which that stream is behind is a
    /// former primary that does not know it yet, and its answers do not count.
    async fn learn_versions(&mut self, append: &Append) -> bool {
        self.shared.count(|counts| counts.conflicts += 1);
        let Ok(found) = self.read_versions(append).await else {
            self.session = None;
            return false;
        };
        if found[0] < append.expected[0].unwrap_or(0) {
            self.shared.count(|counts| counts.stale += 1);
            self.session = None;
            return false;
        }
        self.versions
            .extend(append.streams.iter().cloned().zip(found));
        true
    }

    async fn session(&mut self) -> Result<&Session, Failure> {
        let session = match mem::take(&mut self.session) {
            Some(session) => session,
            None => Session::connect(&self.config).await?,
        };
        Ok(self.session.insert(session))
    }

    async fn read_versions(&mut self, append: &Append) -> Result<Vec<i64>, Failure> {
        let streams = append.streams.clone();
        let session = self.session().await?;
        let query = "SELECT version FROM unnest($1) WITH ORDINALITY AS s (stream, n)
                       JOIN eventcore_stream_versions($1) AS v ON v.stream_id = s.stream ORDER BY n";
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 1] =
            [(&streams, Type::TEXT_ARRAY)];
        let rows = timeout(ANSWER_LIMIT, session.client.query_typed(query, &parameters));
        match rows.await {
            Ok(Ok(rows)) => Ok(rows.iter().map(|row| row.get(0)).collect()),
            Ok(Err(error)) => Err(Failure::of(error)),
            Err(_) => Err(Failure::Unanswered),
        }
    }

    /// One attempt. Without an answer in time, the writer either cancels and accepts the outcome,
    /// or disconnects.
    async fn send(&mut self, append: &Append) -> Result<Answer, Failure> {
        let cancels = !self.random.once_in(4);
        let session = self.session().await?;
        session.take_unconfirmed();
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] = [
            (&append.streams, Type::TEXT_ARRAY),
            (&append.expected, Type::INT8_ARRAY),
            (&append.events, Type::JSONB),
        ];
        let statement = session.client.query_typed(
            "SELECT first_position, last_position, versions, repeated FROM eventcore_append($1, $2, $3)",
            &parameters,
        );
        tokio::pin!(statement);
        let mut answer = timeout(ANSWER_LIMIT, &mut statement).await;
        if answer.is_err() && cancels {
            let _ = timeout(ANSWER_LIMIT, session.cancel_token().cancel_query(NoTls)).await;
            answer = timeout(ANSWER_LIMIT, &mut statement).await;
        }
        let rows = match answer {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => return Err(Failure::of(error)),
            Err(_) => return Err(Failure::Unanswered),
        };
        let row = rows.first().ok_or(Failure::Unanswered)?;
        Ok(Answer {
            first: row.get(0),
            last: row.get(1),
            versions: row.get(2),
            repeated: row.get(3),
            unconfirmed: session.take_unconfirmed(),
        })
    }
}
