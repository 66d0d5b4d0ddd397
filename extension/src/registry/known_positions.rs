//! The positions that the tables contain: those of events, and those that consumers have reached.

use super::positions::MAX_AHEAD;
use crate::pg::relation::{self, Kind, Relation, Use};
use crate::pg::sequence;
use crate::pg::snapshot::Snapshot;
use crate::pg::table_scan::for_each_row;
use crate::tables::Events;
use crate::tables::heads;
use eventcore_rules::history::Cause;
use std::ffi::CStr;

/// A column that contains positions.
struct Source {
    table: &'static CStr,
    column: &'static CStr,
    /// Whether the transaction that handled everything up to the position also wrote it.
    is_checkpoint: bool,
    /// Whether roles may lock the table. Its positions are not above the checkpoint of their
    /// consumer, so it is skipped while it is locked: no role stops the appends of others.
    can_be_locked: bool,
}

const fn checkpoint(table: &'static CStr, column: &'static CStr) -> Source {
    Source {
        table,
        column,
        is_checkpoint: true,
        can_be_locked: false,
    }
}

const fn position(table: &'static CStr, column: &'static CStr) -> Source {
    Source {
        table,
        column,
        is_checkpoint: false,
        can_be_locked: false,
    }
}

const fn lockable_position(table: &'static CStr, column: &'static CStr) -> Source {
    Source {
        table,
        column,
        is_checkpoint: false,
        can_be_locked: true,
    }
}

const SOURCES: [Source; 7] = [
    checkpoint(c"subscriptions", c"read_position"),
    checkpoint(c"checkpoints", c"position"),
    checkpoint(c"projections", c"checkpoint"),
    position(c"projections", c"singly_until"),
    position(c"projection_parked", c"position"),
    lockable_position(c"deliveries", c"position"),
    lockable_position(c"parked", c"position"),
];

/// The positions in the tables.
pub struct KnownPositions {
    /// The highest position in any table; 0 for none.
    pub highest: i64,
    /// The position of the last event.
    pub last_event: i64,
    /// The last safe position that a notifier has recorded.
    pub settled: i64,
    /// The highest checkpoint. A copy that was made by SQL contains everything up to it: the
    /// checkpoint was committed after these events, and a dump shows one moment. The sequences in a
    /// dump are newer.
    pub checkpoint: i64,
}

impl KnownPositions {
    /// The position up to which this store agrees with the store that it came from.
    pub fn agreed(&self, cause: Cause) -> i64 {
        if cause.is_physical() {
            self.settled
        } else {
            self.checkpoint.min(self.settled.max(self.last_event))
        }
    }

    /// Reads the tables. Only called when a new history may begin, not for every append.
    pub fn read(events: &Events) -> Self {
        let settled = sequence::last_value(events.catalog.objects.settled_position).unwrap_or(0);
        let last_event = heads::last_position(events);
        let mut known = Self {
            highest: settled.max(last_event),
            last_event,
            settled,
            checkpoint: 0,
        };
        // A role may write the positions of its own consumers. A mistake or a lie must not use up
        // the positions of all.
        let plausible = known.highest.saturating_add(MAX_AHEAD);
        let snapshot = Snapshot::latest();
        for source in SOURCES {
            let (all, telling) = source.highest(&snapshot, plausible);
            known.highest = known.highest.max(all);
            if source.is_checkpoint {
                known.checkpoint = known.checkpoint.max(telling);
            }
        }
        known
    }
}

impl Source {
    /// The highest position of all rows, and the highest of the rows that tell how far their
    /// consumer has read. Rows of inline projections are not among the latter: they show only what
    /// their transaction saw.
    ///
    /// Rows with a position above `plausible` are ignored.
    fn highest(&self, snapshot: &Snapshot, plausible: i64) -> (i64, i64) {
        let Some((table, column)) = self.find() else {
            return (0, 0);
        };
        let mode = relation::column_number(table.oid(), c"mode");
        let (mut all, mut telling) = (0, 0);
        for_each_row(&table, snapshot, |row| {
            let position = row.bigint(column);
            if position > plausible {
                return;
            }
            all = position.max(all);
            if !mode.is_some_and(|mode| row.text_is(mode, b"inline")) {
                telling = position.max(telling);
            }
        });
        (all, telling)
    }

    /// The table, and the number of the column. `None` if one of them does not exist.
    fn find(&self) -> Option<(Relation, i16)> {
        let found = relation::find(relation::schema(c"eventcore")?, self.table)?;
        if relation::kind(found) != Some(Kind::Table)
            || !relation::belongs_to_extension(found, c"eventcore")
        {
            return None;
        }
        let table = if self.can_be_locked {
            Relation::try_table(found, Use::Read)?
        } else {
            Relation::existing_table(found, Use::Read)?
        };
        let number = relation::column_number(found, self.column)?;
        let column = table
            .columns()
            .get(usize::try_from(number).ok()? - 1)
            .copied();
        (table.is_heap() && column.is_some_and(|column| column.data_type == pgrx::pg_sys::INT8OID))
            .then_some((table, number))
    }
}
