//! The tables, their columns, and their oids in this database.

use crate::error::{Error, LACKS_TRIGGERS, Unavailable};
use crate::pg::relation::{Column, Kind, Relation, Trigger, Use};
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
    NAME,
    NAME,
    not_null(pg_sys::JSONBOID),
    nullable(pg_sys::JSONBOID),
    nullable(pg_sys::UUIDOID),
    nullable(pg_sys::UUIDOID),
];

/// Compared byte by byte.
const NAME: Column = Column {
    data_type: pg_sys::TEXTOID,
    not_null: true,
    collation: pg_sys::C_COLLATION_OID,
};

const fn not_null(data_type: Oid) -> Column {
    Column {
        data_type,
        not_null: true,
        collation: Oid::INVALID,
    }
}

const fn nullable(data_type: Oid) -> Column {
    Column {
        data_type,
        not_null: false,
        collation: Oid::INVALID,
    }
}

/// Our own triggers on `eventcore.events`: for rows that come by SQL, and against changes.
const TRIGGERS: [&CStr; 3] = [
    c"events_before_insert",
    c"events_are_immutable",
    c"every_event_is_immutable",
];

/// The column of the index by position.
pub const BY_POSITION: i16 = 1;

/// The columns of the index by stream.
pub mod by_stream {
    pub const STREAM_ID: i16 = 1;
    pub const VERSION: i16 = 2;
}

/// The columns of `eventcore.streams` that an append looks at.
pub mod stream_column {
    pub const STREAM_ID: i16 = 1;
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
    pub streams: Oid,
    pub streams_by_id: Oid,
    pub position_blocks: Oid,
    pub settled_position: Oid,
    /// The number that this database is known by in rows of its own.
    pub home_id: Oid,
    pub history: Oid,
    commands: Oid,
    commands_by_name: Oid,
    executions: Oid,
    executions_by_key: Oid,
    command_states: Oid,
    command_states_by_key: Oid,
    /// What would be bypassed by writing events beneath SQL, if anything: completes the sentence
    /// "eventcore.events …".
    obstacle_to_writes: Option<&'static str>,
    has_row_security: bool,
    /// How often relations had changed, from 1, when they were looked up.
    look_ups: u64,
}

thread_local! {
    static CACHED: RefCell<Option<Catalog>> = const { RefCell::new(None) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// How often any relation has changed since this backend began to watch.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

static FORGET: fn(Option<Oid>) = forget;

impl Catalog {
    /// Looks the oids up, once per backend and again after any of them may have changed.
    ///
    /// SE009 where the extension is not installed or its table is not the one it made.
    pub fn load() -> Result<Self, Error> {
        Self::load_for(Use::Read)
    }

    /// The same for somebody who will open the table for this purpose. Its lock comes before those of
    /// the indexes: REINDEX takes them in that order too.
    fn load_for(purpose: Use) -> Result<Self, Error> {
        if let Some(catalog) = CACHED.with(|cached| *cached.borrow()) {
            return Ok(catalog);
        }
        if !WATCHING.get() {
            transaction::on_relation_change(&FORGET);
            WATCHING.set(true);
        }
        loop {
            let changes = CHANGES.get();
            let found = Self::look_up().ok_or(Unavailable::NotInstalled)?;
            let events = open(found.events, purpose)?;
            let streams = open(found.streams, Use::Read)?;
            // While we waited for the locks, indexes may have been replaced. From now on they stay.
            if changes == CHANGES.get() {
                let mut catalog = found.verified(&events, &streams)?;
                catalog.look_ups = changes.wrapping_add(1);
                CACHED.with(|cached| *cached.borrow_mut() = Some(catalog));
                return Ok(catalog);
            }
        }
    }

    /// `None` where one of them does not exist, or does not belong to the extension: anybody who may
    /// make a schema could have made things of these names.
    fn look_up() -> Option<Self> {
        let schema = relation::schema(c"eventcore")?;
        let ours = |name, kind| {
            let found = relation::find(schema, name)?;
            let is_ours = relation::kind(found) == Some(kind)
                && (kind == Kind::Index || relation::belongs_to_extension(found, c"eventcore"));
            is_ours.then_some(found)
        };
        Some(Self {
            events: ours(c"events", Kind::Table)?,
            events_by_position: ours(c"events_pkey", Kind::Index)?,
            events_by_stream: ours(c"events_stream_id_version_key", Kind::Index)?,
            streams: ours(c"streams", Kind::Table)?,
            streams_by_id: ours(c"streams_pkey", Kind::Index)?,
            position_blocks: ours(c"position_blocks", Kind::Sequence)?,
            settled_position: ours(c"settled_position", Kind::Sequence)?,
            home_id: ours(c"home_id", Kind::Sequence)?,
            history: ours(c"history", Kind::Table)?,
            commands: ours(c"commands", Kind::Table)?,
            commands_by_name: ours(c"commands_pkey", Kind::Index)?,
            executions: ours(c"executions", Kind::Table)?,
            executions_by_key: ours(c"executions_pkey", Kind::Index)?,
            command_states: ours(c"command_states", Kind::Table)?,
            command_states_by_key: ours(c"command_states_pkey", Kind::Index)?,
            obstacle_to_writes: None,
            has_row_security: false,
            look_ups: 0,
        })
    }

    /// The same, if the tables and indexes are still as CREATE EXTENSION made them.
    fn verified(mut self, events: &Relation, streams: &Relation) -> Result<Self, Error> {
        let columns = events.columns();
        // A column that was added and dropped again is still there, without a type.
        let (ours, added) = columns.split_at(column::COUNT.min(columns.len()));
        let is_there = |column: &Column| column.data_type != Oid::INVALID;
        let of_streams = streams.columns();
        let column = |number: i16| of_streams.get(number as usize - 1).copied();
        let state = column(stream_column::STATE)
            .is_some_and(|state| state.data_type == pg_sys::TEXTOID && state.not_null);
        if ours != COLUMNS
            || added.iter().any(is_there)
            || column(stream_column::STREAM_ID) != Some(NAME)
            || !state
        {
            return Err(altered(
                "does not have the columns that CREATE EXTENSION gave it",
            ));
        }
        if !events.is_heap() || !streams.is_heap() {
            return Err(altered("is not stored as CREATE EXTENSION made it"));
        }
        if !events.is_permanent_and_whole() || !streams.is_permanent_and_whole() {
            return Err(altered("is UNLOGGED, or a partition of another table"));
        }
        let is_index = |index, table, columns: &[i16]| {
            Relation::index(index, Use::Read).is_unique_index_on(table, columns)
        };
        let by_stream = [column::STREAM_ID, column::VERSION];
        if !is_index(self.events_by_position, self.events, &[column::POSITION])
            || !is_index(self.events_by_stream, self.events, &by_stream)
            || !is_index(
                self.streams_by_id,
                self.streams,
                &[stream_column::STREAM_ID],
            )
        {
            return Err(altered(
                "does not have the indexes that CREATE EXTENSION gave it",
            ));
        }
        self.has_row_security = events.has_row_security();
        self.obstacle_to_writes = obstacle_to_writes(events);
        Ok(self)
    }

    /// Another number each time that the tables may have changed.
    pub fn look_ups(&self) -> u64 {
        self.look_ups
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
            self.streams,
            self.streams_by_id,
            self.position_blocks,
            self.settled_position,
            self.home_id,
            self.history,
            self.commands,
            self.commands_by_name,
            self.executions,
            self.executions_by_key,
            self.command_states,
            self.command_states_by_key,
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
    /// Opens the table to read its events; what it then knows holds until the transaction ends.
    ///
    /// SE009 with row security, which reading beneath SQL would bypass.
    pub fn to_read() -> Result<Self, Error> {
        let events = Self::open(Use::Read)?;
        if events.catalog.has_row_security {
            return Err(altered("has row security"));
        }
        Ok(events)
    }

    /// Opens the table to write events.
    ///
    /// SE009 with anything that writing beneath SQL would bypass.
    pub fn to_write() -> Result<Self, Error> {
        let events = Self::open(Use::Write)?;
        match events.catalog.obstacle_to_writes {
            Some(what) => Err(altered(what)),
            None => Ok(events),
        }
    }

    /// Opens the table, for what is not about what callers may see or do.
    pub fn open(purpose: Use) -> Result<Self, Error> {
        let load = || Catalog::load_for(purpose);
        let (table, catalog) = open_known(load, |catalog| catalog.events, purpose)?;
        Ok(Self { table, catalog })
    }

    pub fn by_position(&self) -> Relation {
        Relation::index(self.catalog.events_by_position, Use::Read)
    }

    pub fn by_stream(&self) -> Relation {
        Relation::index(self.catalog.events_by_stream, Use::Read)
    }
}

/// `eventcore.commands`, and its index by name.
pub fn commands() -> Result<(Relation, Relation), Error> {
    let (table, catalog) = open_known(Catalog::load, |catalog| catalog.commands, Use::Read)?;
    let by_name = Relation::index(catalog.commands_by_name, Use::Read);
    Ok((table, by_name))
}

/// `eventcore.executions` to write a row, and the oid of its index by command and key.
pub fn executions() -> Result<(Relation, Oid), Error> {
    let (table, catalog) = open_known(Catalog::load, |catalog| catalog.executions, Use::Write)?;
    Ok((table, catalog.executions_by_key))
}

/// `eventcore.command_states` to write rows, and its index by command, stream and role; `None` where somebody has
/// locked the table.
pub fn command_states() -> Result<Option<(Relation, Relation)>, Error> {
    let seen = Catalog::load()?.command_states;
    let Some(table) = Relation::table_at_once(seen, Use::Write) else {
        return Ok(None);
    };
    let catalog = Catalog::load()?;
    Ok((catalog.command_states == seen).then(|| {
        let by_key = Relation::index(catalog.command_states_by_key, Use::Read);
        (table, by_key)
    }))
}

/// Opens a table of the catalog, with the oids that hold while it is open.
fn open_known(
    load: impl Fn() -> Result<Catalog, Error>,
    table: impl Fn(&Catalog) -> Oid,
    purpose: Use,
) -> Result<(Relation, Catalog), Error> {
    loop {
        let seen = table(&load()?);
        let opened = Relation::existing_table(seen, purpose);
        let catalog = load()?;
        match opened {
            Some(opened) if table(&catalog) == seen => return Ok((opened, catalog)),
            // The extension was created anew while we waited for the lock.
            _ if table(&catalog) != seen => {}
            _ => return Err(Unavailable::NotInstalled.into()),
        }
    }
}

fn open(table: Oid, purpose: Use) -> Result<Relation, Error> {
    Ok(Relation::existing_table(table, purpose).ok_or(Unavailable::NotInstalled)?)
}

fn altered(what: &'static str) -> Error {
    Unavailable::TableAltered { what }.into()
}

fn obstacle_to_writes(events: &Relation) -> Option<&'static str> {
    let triggers = events.triggers();
    let is_ours = |trigger: &Trigger| TRIGGERS.contains(&trigger.name.as_c_str());
    if events.has_row_security() {
        return Some("has row security");
    }
    if events.has_rule() {
        return Some("has a rule");
    }
    if events.has_check_or_generated_column() {
        return Some("has a check constraint or a generated column");
    }
    if triggers
        .iter()
        .any(|trigger| trigger.on_insert && !is_ours(trigger))
    {
        return Some("has a trigger for INSERT");
    }
    if triggers
        .iter()
        .filter(|trigger| is_ours(trigger) && trigger.always)
        .count()
        < TRIGGERS.len()
    {
        return Some(LACKS_TRIGGERS);
    }
    None
}

/// Called by the server when a relation may have changed; `None` speaks of all of them.
fn forget(relation: Option<Oid>) {
    CHANGES.set(CHANGES.get().wrapping_add(1));
    CACHED.with(|cached| {
        let mut cached = cached.borrow_mut();
        if cached.is_some_and(|catalog| relation.is_none_or(|oid| catalog.has(oid))) {
            *cached = None;
        }
    });
}
