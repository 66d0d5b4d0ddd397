//! The tables, their columns, and their oids in this database.

use crate::error::{Error, Unavailable};
use crate::pg::relation::{Column, Relation, Use};
use crate::pg::{relation, transaction};
use pgrx::pg_sys::{self, Oid};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;

/// The columns of `eventcore.events`, in the order of the table.
pub mod column {
    pub const POSITION: i16 = 1;
    pub const VERSION: i16 = 2;
    pub const RECORDED_AT: i16 = 3;
    pub const EVENT_ID: i16 = 4;
    pub const STREAM_ID: i16 = 5;
    pub const EVENT_TYPE: i16 = 6;
    pub const PAYLOAD: i16 = 7;
    pub const METADATA: i16 = 8;
    pub const CORRELATION_ID: i16 = 9;
    pub const CAUSATION_ID: i16 = 10;
    /// How many there are.
    pub const COUNT: usize = 10;
}

/// Their types, and whether they may be NULL.
const COLUMNS: [Column; column::COUNT] = [
    not_null(pg_sys::INT8OID),
    not_null(pg_sys::INT8OID),
    not_null(pg_sys::TIMESTAMPTZOID),
    not_null(pg_sys::UUIDOID),
    not_null(pg_sys::TEXTOID),
    not_null(pg_sys::TEXTOID),
    not_null(pg_sys::JSONBOID),
    nullable(pg_sys::JSONBOID),
    nullable(pg_sys::UUIDOID),
    nullable(pg_sys::UUIDOID),
];

const fn not_null(data_type: Oid) -> Column {
    Column {
        data_type,
        not_null: true,
    }
}

const fn nullable(data_type: Oid) -> Column {
    Column {
        data_type,
        not_null: false,
    }
}

/// Our own triggers on `eventcore.events` for INSERT. They are for rows that come by SQL.
pub const INSERT_TRIGGERS: [&CStr; 2] = [c"events_before_insert", c"events_after_insert"];

/// The columns of the index by stream.
pub mod by_stream {
    pub const STREAM_ID: i16 = 1;
    pub const VERSION: i16 = 2;
}

/// The columns of `eventcore.streams` that an append looks at.
pub mod stream_column {
    pub const STATE: i16 = 2;
}

/// The oids that the extension has in this database.
#[derive(Clone, Copy)]
pub struct Catalog {
    pub events: Oid,
    /// Unique on position.
    pub events_by_position: Oid,
    /// Unique on stream_id, version.
    pub events_by_stream: Oid,
    /// Unique on event_id.
    pub events_by_id: Oid,
    pub streams: Oid,
    pub streams_by_id: Oid,
    pub position_blocks: Oid,
    pub settled_position: Oid,
}

thread_local! {
    static CACHED: RefCell<Option<Catalog>> = const { RefCell::new(None) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
}

static FORGET: fn(Option<Oid>) = forget;

impl Catalog {
    /// Looks the oids up, once per backend and again after any of them may have changed.
    ///
    /// SE009 where the extension is not installed or its table is not the one it made.
    pub fn load() -> Result<Self, Error> {
        if let Some(catalog) = CACHED.with(|cached| *cached.borrow()) {
            return Ok(catalog);
        }
        if !WATCHING.with(|watching| watching.replace(true)) {
            transaction::on_relation_change(&FORGET);
        }
        let catalog = Self::look_up().ok_or(Unavailable::NotInstalled)?;
        let columns = Relation::table(catalog.events, Use::Read).columns();
        // A column that was added and dropped again is still there, without a type.
        let (ours, added) = columns.split_at(column::COUNT.min(columns.len()));
        let is_there = |column: &Column| column.data_type != Oid::INVALID;
        if ours != COLUMNS || added.iter().any(is_there) {
            let what = "does not have the columns that CREATE EXTENSION gave it";
            return Err(Unavailable::TableAltered { what }.into());
        }
        CACHED.with(|cached| *cached.borrow_mut() = Some(catalog));
        Ok(catalog)
    }

    /// `None` where one of them does not exist.
    fn look_up() -> Option<Self> {
        let schema = relation::schema(c"eventcore")?;
        Some(Self {
            events: relation::find(schema, c"events")?,
            events_by_position: relation::find(schema, c"events_pkey")?,
            events_by_stream: relation::find(schema, c"events_stream_id_version_key")?,
            events_by_id: relation::find(schema, c"events_event_id_key")?,
            streams: relation::find(schema, c"streams")?,
            streams_by_id: relation::find(schema, c"streams_pkey")?,
            position_blocks: relation::find(schema, c"position_blocks")?,
            settled_position: relation::find(schema, c"settled_position")?,
        })
    }

    /// Whether this is the same installation of the extension.
    pub fn is_same(&self, other: &Self) -> bool {
        self.position_blocks == other.position_blocks
    }

    /// Whether this is the oid of one of our tables, indexes or sequences.
    fn has(&self, oid: Oid) -> bool {
        [
            self.events,
            self.events_by_position,
            self.events_by_stream,
            self.events_by_id,
            self.streams,
            self.streams_by_id,
            self.position_blocks,
            self.settled_position,
        ]
        .contains(&oid)
    }
}

/// `eventcore.events`, open, and with it the oids that go with it as long as it is: an index that is
/// rebuilt gets another oid, but none goes away under somebody who had the table open before.
pub struct Events {
    pub table: Relation,
    pub catalog: Catalog,
}

impl Events {
    /// Opens the table; what it then knows holds until the transaction ends.
    pub fn open(purpose: Use) -> Result<Self, Error> {
        loop {
            let seen = Catalog::load()?;
            let table = Relation::existing_table(seen.events, purpose);
            let catalog = Catalog::load()?;
            match table {
                Some(table) if catalog.events == seen.events => {
                    return Ok(Self { table, catalog });
                }
                // The extension was created anew while we waited for the lock.
                _ if catalog.events != seen.events => {}
                _ => return Err(Unavailable::NotInstalled.into()),
            }
        }
    }

    pub fn by_position(&self) -> Relation {
        Relation::index(self.catalog.events_by_position, Use::Read)
    }

    pub fn by_stream(&self) -> Relation {
        Relation::index(self.catalog.events_by_stream, Use::Read)
    }

    pub fn by_id(&self) -> Relation {
        Relation::index(self.catalog.events_by_id, Use::Read)
    }
}

/// Called by the server when a relation may have changed; `None` speaks of all of them.
fn forget(relation: Option<Oid>) {
    CACHED.with(|cached| {
        let mut cached = cached.borrow_mut();
        if cached.is_some_and(|catalog| relation.is_none_or(|oid| catalog.has(oid))) {
            *cached = None;
        }
    });
}
