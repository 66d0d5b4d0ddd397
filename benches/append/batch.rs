//! A batch of events, ready to be sent as the arrays of `eventcore_append_compact` and as a binary COPY.

use std::error::Error;

use anyhow::{Context, Result};
use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::payload::PAYLOAD;

const EVENT_TYPE: &str = "LineImported";

/// How the events of a batch are spread over streams, all of them new.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Streams {
    One,
    OneForEachEvent,
}

#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) streams: Vec<String>,
    pub(crate) expected_versions: Vec<i64>,
    pub(crate) event_streams: Vec<String>,
    pub(crate) event_types: Vec<&'static str>,
    pub(crate) payloads: Vec<Json>,
    pub(crate) event_ids: Vec<Uuid>,
}

/// JSON as text, sent as `text` or `jsonb` without being parsed here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json(pub(crate) &'static str);

impl Batch {
    pub(crate) fn new(events: usize, spread: Streams) -> Self {
        let name = Uuid::now_v7();
        let streams: Vec<String> = match spread {
            Streams::One => vec![format!("import-{name}")],
            Streams::OneForEachEvent => (0..events).map(|n| format!("import-{name}-{n}")).collect(),
        };
        Self {
            expected_versions: vec![0; streams.len()],
            event_streams: match spread {
                Streams::One => vec![streams[0].clone(); events],
                Streams::OneForEachEvent => streams.clone(),
            },
            event_types: vec![EVENT_TYPE; events],
            payloads: vec![Json(PAYLOAD); events],
            event_ids: (0..events).map(|_| Uuid::now_v7()).collect(),
            streams,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.event_ids.len()
    }

    /// The size of the append's parameters on the wire, without the header of each array.
    pub(crate) fn bytes(&self) -> usize {
        let strings = [&self.streams, &self.event_streams];
        let strings: usize = strings.into_iter().flatten().map(|s| 4 + s.len()).sum();
        let versions = self.expected_versions.len() * (4 + size_of::<i64>());
        let event = 4 + EVENT_TYPE.len() + 4 + PAYLOAD.len() + 4 + size_of::<Uuid>();
        strings + versions + self.len() * event
    }

    /// Rows for [`COPY`] in PostgreSQL's binary format, with positions from `first_position` on.
    pub(crate) fn copy_data(&self, first_position: i64) -> Result<Vec<u8>> {
        let mut data = Vec::with_capacity(self.len() * 300);
        data.extend(b"PGCOPY\n\xff\r\n\0");
        // No flags, and no extension of the header.
        data.extend([0; 8]);
        let mut version = 0;
        for (index, (position, stream)) in (first_position..).zip(&self.event_streams).enumerate() {
            version = if self.streams.len() == 1 {
                version + 1
            } else {
                1
            };
            data.extend(7_i16.to_be_bytes());
            field(&mut data, &position.to_be_bytes())?;
            field(&mut data, &i64::to_be_bytes(version))?;
            // Microseconds since 2000: a day in 2026.
            field(&mut data, &i64::to_be_bytes(830_000_000_000_000))?;
            field(&mut data, self.event_ids[index].as_bytes())?;
            field(&mut data, stream.as_bytes())?;
            field(&mut data, self.event_types[index].as_bytes())?;
            field(&mut data, &[&[JSONB_VERSION], PAYLOAD.as_bytes()].concat())?;
        }
        data.extend((-1_i16).to_be_bytes());
        Ok(data)
    }
}

/// The input of [`Batch::copy_data`].
pub(crate) const COPY: &str = "COPY bare (position, version, recorded_at, event_id, stream_id, \
                               event_type, payload) FROM STDIN (FORMAT binary)";

const JSONB_VERSION: u8 = 1;

fn field(data: &mut Vec<u8>, value: &[u8]) -> Result<()> {
    let length = i32::try_from(value.len()).context("a field is too long for COPY")?;
    data.extend(length.to_be_bytes());
    data.extend(value);
    Ok(())
}

impl ToSql for Json {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *ty == Type::JSONB {
            out.extend_from_slice(&[JSONB_VERSION]);
        }
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::JSONB | Type::TEXT)
    }

    to_sql_checked!();
}
