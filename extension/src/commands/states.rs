//! Saved states of long streams in `eventcore.command_states`, so that these streams are not read
//! from their start each time.
//!
//! A state is folded from the initial state and the events of one stream only, in their order. So
//! continuing from it gives the same result as folding the whole stream, whatever `apply` does.
//!
//! A saved state never gets in the way. It is used only if it fits the stream and the command as
//! they are now, and only for the same role. It is replaced only if that needs no waiting and
//! cannot fail. For short streams no state is looked for.

use super::definition::Definition;
use crate::error::Error;
use crate::locks::try_lock_state;
use crate::pg::callable;
use crate::pg::delete::try_delete;
use crate::pg::indexes::Indexes;
use crate::pg::insert::{Columns, insert_rows};
use crate::pg::relation::{Column, Relation};
use crate::pg::scan::{Condition, Direction, IndexScan, Row};
use crate::pg::session::current_role;
use crate::pg::snapshot::{Snapshot, is_serializable};
use crate::pg::transaction;
use crate::pg::value::{Jsonb, Text, uuid_datum};
use crate::tables::columns::{
    command_states as column, command_states_by_key as by_key, events as event,
    events_by_stream as by_stream,
};
use crate::tables::{self};
use pgrx::pg_sys::{self, Datum, Oid};
use std::cell::OnceCell;
use uuid::Uuid;

/// The types of the columns of `eventcore.command_states`; none may be NULL.
const TYPES: [Oid; column::COUNT] = [
    pg_sys::INT8OID,
    pg_sys::INT8OID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::INT8OID,
    pg_sys::UUIDOID,
    pg_sys::OIDOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::JSONBOID,
];

/// The columns of its primary key.
const KEY: [i16; 3] = [column::COMMAND, column::STREAM_ID, column::ROLE];

/// The saved states of a command, for the role that executes it.
pub struct SavedStates<'a> {
    /// Opened for the first long stream.
    opened: OnceCell<Option<OpenTable>>,
    command: Text<'a>,
    role: Oid,
    /// How many events of a stream are read before its state is saved.
    every: u64,
    /// The change counter of functions when the functions were looked up.
    functions: u64,
}

struct OpenTable {
    table: Relation,
    by_key: Relation,
}

/// The part of a stream that a state contains.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct StreamSpan {
    pub first_version: i64,
    pub last_version: i64,
    pub last_event: Uuid,
}

/// A state of a stream.
pub struct SavedState<'a> {
    pub stream: Text<'a>,
    pub span: StreamSpan,
    pub state: Jsonb<'a>,
}

impl<'a> SavedStates<'a> {
    /// `None` if the command saves no states.
    pub fn of(definition: &Definition<'a>) -> Option<Self> {
        let every = u64::try_from(definition.snapshot_every).unwrap_or(0);
        (every > 0).then(|| Self {
            opened: OnceCell::new(),
            command: definition.name,
            role: current_role(),
            every,
            functions: definition.functions,
        })
    }

    /// The state of a stream at this version, if the command as it is defined now has made it.
    pub fn find<'b>(
        &self,
        definition: &Definition<'_>,
        (stream, version): (Text<'_>, i64),
        snapshot: &Snapshot,
    ) -> Result<Option<(StreamSpan, Jsonb<'b>)>, Error> {
        if !self.is_worth_saving(version.unsigned_abs()) {
            return Ok(None);
        }
        let Some(OpenTable { table, by_key }) = self.table()? else {
            return Ok(None);
        };
        let mut scan = IndexScan::new(table, by_key, snapshot);
        let Some(row) = self.row(&mut scan, stream) else {
            return Ok(None);
        };
        if row.bigint(column::MADE_BY) != definition.state_maker() {
            return Ok(None);
        }
        let state = row.jsonb(column::STATE).map(Jsonb::keep);
        Ok(state.map(|state| (span(&row), state)))
    }

    /// Only a stream that has this version, or a later one, can have a saved state.
    pub fn least_version(&self) -> i64 {
        i64::try_from(self.every).unwrap_or(i64::MAX)
    }

    /// Whether the state of a stream is worth saving after this many of its events were read.
    pub fn is_worth_saving(&self, events_read: u64) -> bool {
        events_read >= self.every
    }

    /// Saves states in place of older ones. Their streams are locked.
    pub fn save(
        &self,
        definition: &Definition<'_>,
        states: &[SavedState<'_>],
    ) -> Result<(), Error> {
        // If a function was replaced while its states were folded, they belong to neither version.
        // And a serializable transaction could fail because of this write.
        if states.is_empty() || callable::changes() != self.functions || is_serializable() {
            return Ok(());
        }
        let Some(opened) = self.table()? else {
            return Ok(());
        };
        let made_by = definition.state_maker();
        for saved in states {
            // If the lock is taken, its holder is saving the same stream's state. This happens only
            // for streams that are merely checked.
            if try_lock_state(self.command.bytes(), saved.stream.bytes(), self.role)
                && self.remove_older(opened, saved, made_by)
            {
                self.insert(&opened.table, saved, made_by);
            }
        }
        transaction::end_command();
        Ok(())
    }

    /// Removes the older state of the stream; returns whether a state can be written in its place.
    fn remove_older(&self, opened: &OpenTable, saved: &SavedState<'_>, made_by: i64) -> bool {
        let snapshot = Snapshot::latest();
        let mut scan = IndexScan::new(&opened.table, &opened.by_key, &snapshot);
        let Some(row) = self.row(&mut scan, saved.stream) else {
            return true;
        };
        let is_same = span(&row) == saved.span && row.bigint(column::MADE_BY) == made_by;
        !is_same && try_delete(&opened.table, &row)
    }

    fn insert(&self, table: &Relation, saved: &SavedState<'_>, made_by: i64) {
        let row = |_| -> Columns<{ column::COUNT }> {
            [
                Some(Datum::from(saved.span.first_version)),
                Some(Datum::from(saved.span.last_version)),
                Some(Datum::from(transaction::statement_start())),
                Some(Datum::from(made_by)),
                Some(uuid_datum(&saved.span.last_event)),
                Some(Datum::from(self.role)),
                Some(self.command.datum()),
                Some(saved.stream.datum()),
                Some(saved.state.datum()),
            ]
        };
        insert_rows(table, &Indexes::open(table), 1, row);
    }

    /// `None` if another transaction has locked the table, or if it is not as CREATE EXTENSION made
    /// it. It takes the write lock at once, because upgrading from a read lock could deadlock with
    /// a concurrent REINDEX.
    fn table(&self) -> Result<Option<&OpenTable>, Error> {
        if self.opened.get().is_none() {
            let found = tables::command_states()?;
            let opened = found.map(|(table, by_key)| OpenTable { table, by_key });
            _ = self.opened.set(opened.filter(is_as_created));
        }
        Ok(self.opened.get().and_then(Option::as_ref))
    }

    fn row<'r, 's>(&self, scan: &'s mut IndexScan<'r>, stream: Text<'r>) -> Option<Row<'s>>
    where
        'a: 'r,
    {
        let conditions = [
            Condition::TextEquals(by_key::COMMAND, self.command),
            Condition::TextEquals(by_key::STREAM_ID, stream),
            Condition::OidEquals(by_key::ROLE, self.role),
        ];
        scan.seek(&conditions, Direction::Forward);
        scan.next()
    }
}

impl StreamSpan {
    /// This span with the events that follow it. An empty span has no first version.
    pub fn and(self, next: Self) -> Self {
        match self.first_version {
            0 => next,
            first_version => Self {
                first_version,
                ..next
            },
        }
    }

    /// Whether the stream still begins and continues as it did. The scan is then at the last event
    /// of the span.
    pub fn fits<'r>(&self, scan: &mut IndexScan<'r>, stream: Text<'r>) -> bool {
        let of_stream = Condition::TextEquals(by_stream::STREAM_ID, stream);
        scan.seek(&[of_stream], Direction::Forward);
        let first = scan.next().map(|row| row.bigint(event::VERSION));
        if first != Some(self.first_version) {
            return false;
        }
        let before = self.last_version.saturating_sub(1);
        let from_last = Condition::BigintAbove(by_stream::VERSION, before);
        scan.seek(&[of_stream, from_last], Direction::Forward);
        scan.next().is_some_and(|row| {
            row.bigint(event::VERSION) == self.last_version
                && row.uuid(event::EVENT_ID) == self.last_event
        })
    }
}

fn span(row: &Row<'_>) -> StreamSpan {
    StreamSpan {
        first_version: row.bigint(column::FIRST_VERSION),
        last_version: row.bigint(column::LAST_VERSION),
        last_event: row.uuid(column::LAST_EVENT),
    }
}

/// Whether the table has the columns and the index that CREATE EXTENSION gave it.
fn is_as_created(OpenTable { table, by_key }: &OpenTable) -> bool {
    let not_null = |data_type| Column {
        data_type,
        not_null: true,
        collation: match data_type {
            pg_sys::TEXTOID => pg_sys::C_COLLATION_OID,
            _ => Oid::INVALID,
        },
    };
    let columns = table.columns();
    columns.iter().copied().eq(TYPES.map(not_null)) && by_key.is_unique_index_on(table.oid(), &KEY)
}
