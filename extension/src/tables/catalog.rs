//! The objects of the extension in this database, looked up once and verified.

use super::columns::{events as column, streams as streams_column};
use super::objects::Objects;
use super::release;
use crate::error::{Error, LACKS_TRIGGERS, Unavailable};
use crate::pg::cache::Cached;
use crate::pg::relation::{Column, Relation, Trigger, Use};
use crate::pg::{sequence, transaction};
use pgrx::pg_sys::{self, Oid};
use std::ffi::CStr;

/// The types of the columns of `eventcore.events`, and whether they may be NULL.
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

/// The triggers of the extension on `eventcore.events`: for rows that SQL inserts, and against
/// changes.
const TRIGGERS: [&CStr; 3] = [
    c"events_before_insert",
    c"events_are_immutable",
    c"every_event_is_immutable",
];

/// The trigger of the extension on `eventcore.streams`, which 0.1.0 does not have.
const STREAMS_TRIGGER: &CStr = c"streams_before_insert";

/// The objects of this installation of the extension, and what matters about them when events are
/// read or written.
#[derive(Clone, Copy)]
pub struct Catalog {
    pub objects: Objects,
    /// What writing events beneath SQL would bypass, if anything. Completes the sentence
    /// "eventcore.events …".
    obstacle_to_writes: Option<&'static str>,
    has_row_security: bool,
    announces_closings: bool,
    generation: u64,
}

thread_local! {
    static CACHE: Cached<Catalog> = const { Cached::empty() };
}

static FORGET: fn(Option<Oid>) = forget;

impl Catalog {
    /// Looks the objects up, once per backend and again after any of them may have changed.
    ///
    /// SE009 if the extension is not installed, if this library does not serve its release, or if its
    /// tables are not as CREATE EXTENSION made them.
    pub fn load() -> Result<Self, Error> {
        Self::load_for(Use::Read)
    }

    /// Does the same for a caller that will open the table of events for this purpose. The lock of
    /// the table comes before those of its indexes: REINDEX takes them in that order too.
    pub(super) fn load_for(purpose: Use) -> Result<Self, Error> {
        CACHE.with(|cache| {
            cache.get(
                || transaction::on_relation_change(&FORGET),
                || {
                    let objects = Objects::find()
                        .ok_or_else(|| release::differs(Unavailable::NotInstalled))?;
                    let events = open(objects.events, purpose)?;
                    let streams = open(objects.streams, Use::Read)?;
                    // An index may have been replaced while this waited for the locks. From now on
                    // they stay.
                    Ok((objects, events, streams))
                },
                |(objects, events, streams), changes| {
                    Self::verified(objects, &events, &streams, changes)
                },
            )
        })
    }

    /// SE009 unless the tables and indexes are still as CREATE EXTENSION made them.
    fn verified(
        objects: Objects,
        events: &Relation,
        streams: &Relation,
        changes: u64,
    ) -> Result<Self, Error> {
        release::require_served()?;
        let columns = events.columns();
        // A column that was added and dropped again is still listed, without a type.
        let (ours, added) = columns.split_at(column::COUNT.min(columns.len()));
        let is_there = |column: &Column| column.data_type != Oid::INVALID;
        let of_streams = streams.columns();
        let column = |number: i16| of_streams.get(number as usize - 1).copied();
        let state = column(streams_column::STATE)
            .is_some_and(|state| state.data_type == pg_sys::TEXTOID && state.not_null);
        if ours != COLUMNS
            || added.iter().any(is_there)
            || column(streams_column::STREAM_ID) != Some(NAME)
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
        if !is_index(
            objects.events_by_position,
            objects.events,
            &[column::POSITION],
        ) || !is_index(objects.events_by_stream, objects.events, &by_stream)
            || !is_index(
                objects.streams_by_id,
                objects.streams,
                &[streams_column::STREAM_ID],
            )
        {
            return Err(altered(
                "does not have the indexes that CREATE EXTENSION gave it",
            ));
        }
        Ok(Self {
            objects,
            obstacle_to_writes: obstacle_to_writes(events),
            has_row_security: events.has_row_security(),
            announces_closings: streams.triggers().iter().any(|trigger| {
                trigger.name.as_c_str() == STREAMS_TRIGGER && trigger.on_insert && trigger.always
            }),
            generation: changes.wrapping_add(1),
        })
    }

    /// A number from 1 that differs each time the tables may have changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether every row that SQL inserts into `eventcore.streams` is announced before.
    pub fn announces_closings(&self) -> bool {
        self.announces_closings
    }

    /// Whether this is the same installation of the extension.
    pub fn is_same(&self, other: &Self) -> bool {
        self.objects.position_blocks == other.objects.position_blocks
    }

    /// Whether this is still the installation of the extension in this database.
    pub fn is_current(&self) -> bool {
        Self::load().is_ok_and(|now| now.is_same(self))
    }

    /// The number of this database, which CREATE EXTENSION has drawn. Rows with another number are
    /// copies of those of another database, and only that database acts on them.
    pub fn home_id(&self) -> i64 {
        sequence::last_value(self.objects.home_id).unwrap_or(0)
    }

    /// SE009 with row security, which reading beneath SQL would bypass.
    pub(super) fn require_readable(&self) -> Result<(), Error> {
        match self.has_row_security {
            true => Err(altered("has row security")),
            false => Ok(()),
        }
    }

    /// SE009 with anything that writing beneath SQL would bypass.
    pub(super) fn require_writable(&self) -> Result<(), Error> {
        match self.obstacle_to_writes {
            Some(what) => Err(altered(what)),
            None => Ok(()),
        }
    }
}

fn open(table: Oid, purpose: Use) -> Result<Relation, Error> {
    Ok(Relation::existing_table(table, purpose).ok_or(Unavailable::NotInstalled)?)
}

fn altered(what: &'static str) -> Error {
    release::differs(Unavailable::TableAltered { what })
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

/// Called by the server when a relation may have changed; `None` means all of them.
fn forget(relation: Option<Oid>) {
    CACHE.with(|cache| {
        // A missing object may appear with any change.
        cache.change(|catalog| {
            catalog.objects.contains(Oid::INVALID)
                || relation.is_none_or(|oid| catalog.objects.contains(oid))
        });
    });
}
