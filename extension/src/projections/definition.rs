//! A projection as registered in `eventcore.projections`.

use super::record;
use crate::arguments::filter::Filter;
use crate::error::Error;
use crate::pg::array::BigintArray;
use crate::pg::cache::Cached;
use crate::pg::callable::Function;
use crate::pg::delete::delete_or_wait;
use crate::pg::environment::Settings;
use crate::pg::relation::{self, Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan, Row};
use crate::pg::snapshot::Snapshot;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::tables::columns::{
    projection_parked, projection_parked_by_projection as by_key, projections as column,
    projections_by_name,
};
use crate::tables::{self, Catalog};
use eventcore_rules::matching;
use pgrx::pg_sys::{Oid, VOIDOID};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// The part of a projection that does not change with its events.
#[derive(Clone)]
pub struct Definition {
    pub name: String,
    pub owner: u32,
    pub inline: bool,
    pub running: bool,
    /// Whether the row was copied from another database, which runs the projection.
    pub copied: bool,
    pub handler: String,
    pub reset: Option<String>,
    pub takes_array: bool,
    pub batch_size: usize,
    pub rebuild: Option<Rebuild>,
    /// The settings that an inline handler runs with.
    pub settings: Rc<Settings>,
    /// The roles that owned its functions when it was created.
    function_owners: Vec<String>,
    /// The events that it wants.
    pub wanted: matching::Filter,
}

/// The additional properties of a projection that rebuilds another one.
#[derive(Clone)]
pub struct Rebuild {
    /// The projection that it rebuilds.
    pub original: String,
    /// The schema of its tables.
    pub schema: String,
}

/// How far a projection is.
pub struct Progress {
    pub checkpoint: i64,
    pub singly_until: i64,
    pub retry_at: i64,
    /// How often it has failed in a row, for any reason.
    failures: i32,
    pub reset_pending: bool,
    pub failed: bool,
    pub last_error: Option<String>,
}

impl Definition {
    /// The events that it wants, copied into the current memory context.
    pub fn filter(&self) -> Filter<'_> {
        let copy = |names: &Option<Vec<String>>| {
            names
                .as_ref()
                .map(|names| names.iter().map(|name| Text::copy(name.as_bytes()).keep()))
                .map(Iterator::collect)
        };
        Filter::of(
            copy(&self.wanted.stream_prefixes),
            copy(&self.wanted.event_types),
        )
    }

    /// The handler, ready to be called with an event of this type or with an array of them.
    pub fn open_handler(&self, event: Oid) -> Result<Function, Error> {
        let argument = if self.takes_array {
            relation::array_type(event)
        } else {
            event
        };
        self.open(&self.handler, &[argument])
    }

    /// A function of the application that returns nothing. SE007 if it is missing.
    pub fn open(&self, function: &str, arguments: &[Oid]) -> Result<Function, Error> {
        let name = Text::copy(function.as_bytes()).keep();
        let owners = self.function_owners.iter().map(String::as_bytes);
        let opened = Function::open(name, owners, arguments, VOIDOID);
        opened.ok_or_else(|| Error::HandlerMissing {
            projection: self.name.clone(),
            function: function.to_owned(),
        })
    }

    fn of_row(row: &Row<'_>, home_id: i64) -> Self {
        let text = |column| row.text(column).map(|text| text.to_string());
        let names = |column| {
            row.text_array(column)
                .map(|names| names.iter().map(|name| name.to_string()).collect())
        };
        Self {
            name: text(column::NAME).unwrap_or_default(),
            owner: row.integer(column::OWNER).cast_unsigned(),
            inline: text(column::MODE).as_deref() == Some("inline"),
            running: text(column::STATUS).as_deref() == Some("running"),
            copied: row.bigint(column::HOME_ID) != home_id,
            handler: text(column::HANDLER).unwrap_or_default(),
            reset: text(column::RESET),
            takes_array: row.boolean(column::TAKES_ARRAY),
            batch_size: usize::try_from(row.integer(column::BATCH_SIZE)).unwrap_or(1),
            rebuild: text(column::REBUILDS)
                .zip(text(column::SHADOW_SCHEMA))
                .map(|(original, schema)| Rebuild { original, schema }),
            settings: Settings::of_row(row, column::SETTINGS),
            function_owners: names(column::FUNCTION_OWNERS).unwrap_or_default(),
            wanted: matching::Filter {
                stream_prefixes: names(column::STREAM_PREFIXES),
                event_types: names(column::EVENT_TYPES),
            },
        }
    }
}

/// The shortest wait after the process of a projection has ended.
const DELAY_AFTER_CRASH: Duration = Duration::from_secs(1);

/// The longest wait of a projection after a failure, and the wait after the first one, as in
/// `eventcore.retry_time`.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
const FIRST_DELAY: Duration = Duration::from_millis(100);

impl Progress {
    /// How long the projection has to wait still; `None` if it is due. If the remaining time is
    /// longer than any delay, the clock was set back, and the projection is due.
    pub fn delay(&self) -> Option<Duration> {
        let left = self.retry_at.saturating_sub(transaction::now());
        let left = Duration::from_micros(u64::try_from(left).ok()?);
        let doublings = u32::try_from(self.failures.clamp(1, 20) - 1).unwrap_or(0);
        let longest = (FIRST_DELAY * 2_u32.pow(doublings)).min(LONGEST_DELAY);
        let longest = longest.max(DELAY_AFTER_CRASH);
        (!left.is_zero() && left <= longest).then_some(left)
    }

    /// Whether nothing keeps it from going on with the next events, and its row records no failure.
    pub fn is_clean(&self) -> bool {
        self.failures == 0
            && !self.reset_pending
            && self.checkpoint >= self.singly_until
            && self.delay().is_none()
    }

    fn of_row(row: &Row<'_>) -> Self {
        let status = row.text(column::STATUS);
        Self {
            checkpoint: row.bigint(column::CHECKPOINT),
            singly_until: row.bigint(column::SINGLY_UNTIL),
            retry_at: row.bigint(column::RETRY_AT),
            failures: row
                .integer(column::ATTEMPTS)
                .max(row.integer(column::INTERRUPTIONS)),
            reset_pending: row.boolean(column::RESET_PENDING),
            failed: status.is_some_and(|status| status.bytes() == b"failed"),
            last_error: row.text(column::LAST_ERROR).map(|error| error.to_string()),
        }
    }
}

/// The position of the first parked event that should be replayed.
pub fn next_replay(name: Text<'_>) -> Result<Option<i64>, Error> {
    let (parked, to_replay) = tables::projection_parked_to_replay()?;
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&parked, &to_replay, &snapshot);
    scan.seek(
        &[Condition::TextEquals(by_key::PROJECTION, name)],
        Direction::Forward,
    );
    Ok(scan
        .next()
        .map(|row| row.bigint(projection_parked::POSITION)))
}

/// Whether any projection has a parked event that should be replayed.
pub fn any_replay() -> Result<bool, Error> {
    let (parked, to_replay) = tables::projection_parked_to_replay()?;
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&parked, &to_replay, &snapshot);
    scan.seek(&[], Direction::Forward);
    Ok(scan.next().is_some())
}

/// The current row of a projection, if there is one with this name.
pub fn load(name: Text<'_>) -> Result<Option<(Definition, Progress)>, Error> {
    let opened = ProjectionsTable::open()?;
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&opened.table, &opened.by_name, &snapshot);
    scan.seek(
        &[Condition::TextEquals(projections_by_name::NAME, name)],
        Direction::Forward,
    );
    let row = scan.next();
    Ok(row.map(|row| {
        (
            Definition::of_row(&row, opened.home_id),
            Progress::of_row(&row),
        )
    }))
}

/// 42501 if there is a projection with this name that belongs to another role.
pub fn require_owner(name: Text<'_>) -> Result<(), Error> {
    if let Some((definition, _)) = load(name)? {
        let owner = Oid::from(definition.owner);
        record::check_owner(name, owner)?;
    }
    Ok(())
}

/// Deletes the row of a projection, if there is one, beneath SQL. Only for roles that have the
/// rights of its owner.
pub fn delete(name: Text<'_>) -> Result<(), Error> {
    // The calling statement may have changed it.
    transaction::end_command();
    let opened = ProjectionsTable::open_to(Use::Write)?;
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&opened.table, &opened.by_name, &snapshot);
    scan.seek(
        &[Condition::TextEquals(projections_by_name::NAME, name)],
        Direction::Forward,
    );
    let Some(row) = scan.next() else {
        return Ok(());
    };
    let owner = Oid::from(row.integer(column::OWNER).cast_unsigned());
    record::check_owner(name, owner)?;
    if !delete_or_wait(&opened.table, &row) {
        transaction::fail_serialization(&format!(
            "another transaction has changed projection \"{name}\""
        ));
    }
    transaction::end_command();
    Ok(())
}

/// Deletes the parked events of a projection, at these positions or all of them, beneath SQL. Only
/// for roles that have the rights of its owner. Returns how many there were.
pub fn delete_parked(name: Text<'_>, positions: Option<&BigintArray<'_>>) -> Result<i64, Error> {
    // The calling statement may have changed them.
    transaction::end_command();
    let owner = load(name)?.map_or(0, |(definition, _)| definition.owner);
    record::check_owner(name, Oid::from(owner))?;
    let (parked, index) = tables::projection_parked(Use::Write)?;
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&parked, &index, &snapshot);
    let of_projection = Condition::TextEquals(by_key::PROJECTION, name);
    let mut deleted = 0;
    match positions {
        None => deleted += delete_found(&parked, &mut scan, &[of_projection]),
        Some(positions) => {
            let each: BTreeSet<i64> = (0..positions.0.len())
                .filter_map(|index| positions.get(index))
                .collect();
            for position in each {
                let at = Condition::BigintEquals(by_key::POSITION, position);
                deleted += delete_found(&parked, &mut scan, &[of_projection, at]);
            }
        }
    }
    transaction::end_command();
    Ok(deleted)
}

/// Deletes all rows that meet the conditions; returns how many there were.
fn delete_found<'r>(
    table: &Relation,
    scan: &mut IndexScan<'r>,
    conditions: &[Condition<'r>],
) -> i64 {
    scan.seek(conditions, Direction::Forward);
    let mut deleted = 0;
    while let Some(row) = scan.next() {
        if delete_or_wait(table, &row) {
            deleted += 1;
        }
    }
    deleted
}

thread_local! {
    /// The running inline projections, with the OID of their table.
    static INLINE: Cached<(Oid, Rc<[Definition]>)> = const { Cached::empty() };
}

static FORGET: fn(Option<Oid>) = forget;

/// All projections that belong to this database, in the order of their names.
pub fn all() -> Result<Rc<[Definition]>, Error> {
    Ok(ProjectionsTable::open()?.read(|one| !one.copied))
}

/// The async projections of a role that are running, and how far they are, in the order of their
/// names.
pub fn running(role: Oid) -> Result<Vec<(Definition, Progress)>, Error> {
    let is_wanted =
        |one: &Definition| one.running && !one.inline && !one.copied && one.owner == role.to_u32();
    let mut list = Vec::new();
    ProjectionsTable::open()?.read_rows(|one, row| {
        if is_wanted(&one) {
            list.push((one, Progress::of_row(row)));
        }
    });
    Ok(list)
}

/// The running inline projections, for every append. The list is read once, and again after any
/// projection has changed. A transaction that changes one sends an invalidation message, which each
/// process receives before it takes its next lock on a table. The message is sent after the wake-up
/// at the end of the transaction, so a woken process must not rely on this list.
pub fn inline() -> Result<Rc<[Definition]>, Error> {
    let find = || {
        let opened = ProjectionsTable::open()?;
        let list = opened.read(|one| one.inline && one.running);
        Ok::<_, Error>((opened.table.oid(), list))
    };
    let watch = || transaction::on_relation_change(&FORGET);
    let (_, list) = INLINE.with(|cache| cache.get(watch, find, |found, _| Ok(found)))?;
    Ok(list)
}

/// The table and its index, open.
struct ProjectionsTable {
    table: Relation,
    by_name: Relation,
    /// The number of this database, which its own rows contain.
    home_id: i64,
}

impl ProjectionsTable {
    fn open() -> Result<Self, Error> {
        Self::open_to(Use::Read)
    }

    fn open_to(purpose: Use) -> Result<Self, Error> {
        let (table, by_name) = tables::projections(purpose)?;
        let home_id = Catalog::load()?.home_id();
        Ok(Self {
            table,
            by_name,
            home_id,
        })
    }

    fn read(&self, wanted: impl Fn(&Definition) -> bool) -> Rc<[Definition]> {
        let mut list = Vec::new();
        self.read_rows(|definition, _| {
            if wanted(&definition) {
                list.push(definition);
            }
        });
        list.into()
    }

    fn read_rows(&self, mut found: impl FnMut(Definition, &Row<'_>)) {
        let snapshot = Snapshot::latest();
        let mut scan = IndexScan::new(&self.table, &self.by_name, &snapshot);
        scan.seek(&[], Direction::Forward);
        while let Some(row) = scan.next() {
            found(Definition::of_row(&row, self.home_id), &row);
        }
    }
}

/// Called by the server when a relation may have changed; `None` means all of them.
fn forget(relation: Option<Oid>) {
    INLINE.with(|cache| cache.change(|(table, _)| relation.is_none_or(|oid| oid == *table)));
}
