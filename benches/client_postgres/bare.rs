//! The two statements of a command, sent with tokio-postgres and parameters made beforehand.
//! Columns are read as their types; the payload's text is not parsed.

use std::error::Error;
use std::hint::black_box;
use std::time::{Instant, SystemTime};

use anyhow::{Result, ensure};
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use crate::work::{EACH, EVENT_TYPE, REFERENCE, account};

const READ: &str = "\
SELECT position, stream_id, version, event_id, event_type, payload, metadata, correlation_id,
       causation_id, recorded_at
  FROM eventcore_read_streams($1::text[], $2::bigint[], $3::bigint, $4::text[])";

const APPEND: &str = "\
SELECT eventcore_append_compact($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                                $7::uuid[], $8::uuid, $9::uuid)";

/// A connection with both statements prepared.
pub(crate) struct Session {
    client: Client,
    read: Statement,
    append: Statement,
}

/// What does not change from command to command.
pub(crate) struct Parameters {
    types: [&'static str; 1],
    payloads: [&'static str; 1],
    correlation_id: Uuid,
}

impl Session {
    pub(crate) async fn prepare(client: Client) -> Result<Self> {
        Ok(Self {
            read: client.prepare(READ).await?,
            append: client.prepare(APPEND).await?,
            client,
        })
    }

    /// Reads a stream; returns its version.
    pub(crate) async fn read(&self, stream: &str) -> Result<i64> {
        let after = [0_i64];
        let rows = self
            .client
            .query(
                &self.read,
                &[
                    &[stream].as_slice(),
                    &after.as_slice(),
                    &None::<i64>,
                    &None::<Vec<&str>>,
                ],
            )
            .await?;
        let mut version = 0;
        for row in &rows {
            version = decode(row)?;
        }
        Ok(version)
    }

    pub(crate) async fn append(
        &self,
        stream: &str,
        expected: Option<i64>,
        same: &Parameters,
    ) -> Result<()> {
        let row = self
            .client
            .query_one(
                &self.append,
                &[
                    &[stream].as_slice(),
                    &[expected].as_slice(),
                    &[stream].as_slice(),
                    &same.types.as_slice(),
                    &same.payloads.as_slice(),
                    &None::<Vec<&str>>,
                    &[Uuid::now_v7()].as_slice(),
                    &same.correlation_id,
                    &same.correlation_id,
                ],
            )
            .await?;
        let values: Vec<Option<i64>> = row.try_get(0)?;
        let as_expected =
            expected.is_none_or(|version| values.get(4..) == Some(&[Some(version + 1)]));
        ensure!(as_expected, "appended at another version");
        black_box(values);
        Ok(())
    }
}

impl Parameters {
    pub(crate) fn new() -> Self {
        let payload = format!(r#"{{"cents": 100, "reference": "{REFERENCE}"}}"#);
        Self {
            types: [EVENT_TYPE],
            payloads: [payload.leak()],
            correlation_id: Uuid::now_v7(),
        }
    }
}

/// Deposits until `end`; returns how often.
pub(crate) async fn worker(session: &Session, end: Instant) -> Result<u64> {
    let (same, mut done) = (Parameters::new(), 0);
    loop {
        let account = account();
        for _ in 0..EACH {
            if Instant::now() >= end {
                return Ok(done);
            }
            let version = session.read(&account).await?;
            session.append(&account, Some(version), &same).await?;
            done += 1;
        }
    }
}

/// The version of an event, after all of its columns were read.
fn decode(row: &Row) -> Result<i64> {
    let version = row.try_get(2)?;
    let names: (&str, &str) = (row.try_get(1)?, row.try_get(4)?);
    let Json(payload) = row.try_get(5)?;
    let metadata: Option<Json<'_>> = row.try_get(6)?;
    let ids: (Uuid, Option<Uuid>, Option<Uuid>) =
        (row.try_get(3)?, row.try_get(7)?, row.try_get(8)?);
    let placed: (i64, SystemTime) = (row.try_get(0)?, row.try_get(9)?);
    black_box((names, payload, metadata, ids, placed));
    Ok(version)
}

/// JSON as text, taken from `jsonb` without being parsed here.
#[derive(Debug)]
struct Json<'a>(&'a str);

/// The first byte of `jsonb` on the wire.
const JSONB_VERSION: u8 = 1;

impl<'a> FromSql<'a> for Json<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.split_first() {
            Some((&JSONB_VERSION, text)) => Ok(Self(std::str::from_utf8(text)?)),
            _ => Err("not the jsonb that is known".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }
}
