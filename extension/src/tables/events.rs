//! `eventcore.events`, open.

use super::Catalog;
use super::columns::events_by_position;
use super::open::open_existing;
use crate::error::Error;
use crate::pg::relation::{Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;

/// The open table, with the OIDs that are valid while it is open. A rebuilt index gets a new OID,
/// but the old one survives as long as this process holds the table open.
pub struct Events {
    pub table: Relation,
    pub catalog: Catalog,
}

impl Events {
    /// Opens the table to read events. What is then known of it holds until the transaction ends.
    ///
    /// SE009 with row security, which reading beneath SQL would bypass.
    pub fn to_read() -> Result<Self, Error> {
        let events = Self::open(Use::Read)?;
        events.catalog.require_readable()?;
        Ok(events)
    }

    /// Opens the table to write events.
    ///
    /// SE009 with anything that writing beneath SQL would bypass.
    pub fn to_write() -> Result<Self, Error> {
        let events = Self::open(Use::Write)?;
        events.catalog.require_writable()?;
        Ok(events)
    }

    /// Looks at the table again, which is open for writing: functions of applications may have
    /// altered it since.
    pub fn check_again(&mut self) -> Result<(), Error> {
        self.catalog = Catalog::load_for(Use::Write)?;
        self.catalog.require_writable()
    }

    /// Opens the table for a purpose that does not depend on what callers may see or do.
    pub fn open(purpose: Use) -> Result<Self, Error> {
        let load = || Catalog::load_for(purpose);
        let (table, catalog) = open_existing(load, |objects| objects.events, purpose)?;
        Ok(Self { table, catalog })
    }

    pub fn by_position(&self) -> Relation {
        Relation::index(self.catalog.objects.events_by_position, Use::Read)
    }

    pub fn by_stream(&self) -> Relation {
        Relation::index(self.catalog.objects.events_by_stream, Use::Read)
    }

    /// Reads the events above one position and up to another, in the order of their positions. The
    /// scan sees what is committed when it begins.
    pub fn between<R>(
        &self,
        (after, up_to): (i64, i64),
        direction: Direction,
        read: impl FnOnce(&mut IndexScan<'_>) -> R,
    ) -> R {
        let snapshot = Snapshot::latest();
        let by_position = self.by_position();
        let mut scan = IndexScan::new(&self.table, &by_position, &snapshot);
        let range = [
            Condition::BigintAbove(events_by_position::POSITION, after),
            Condition::BigintAtMost(events_by_position::POSITION, up_to),
        ];
        scan.seek(&range, direction);
        read(&mut scan)
    }
}
