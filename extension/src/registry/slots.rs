//! The positions that each process may hold: the lowest position of its transaction, in a slot of
//! its own.

use super::databases::DatabaseSlot;
use super::foreign;
use crate::error::Unavailable;
use crate::pg::raise::raise;
use crate::pg::shared_memory::{Shared, SharedArray, max_processes, my_process_number, process_id};
use crate::pg::transaction::{self, Hooks, TransactionEnd};
use std::cell::Cell;
use std::sync::atomic::{
    AtomicI64, AtomicU32,
    Ordering::{Relaxed, SeqCst},
};

static SLOTS: SharedArray<Slot> = SharedArray::new(c"eventcore slots");

static HOOKS: Hooks = Hooks {
    before_prepare: refuse_prepare,
    after_end: withdraw,
    after_subtransaction: end_subtransaction,
};

thread_local! {
    /// The slot of the database in which this process has published a position.
    static HOLDS_IN: Cell<Option<DatabaseSlot>> = const { Cell::new(None) };
    /// Whether this transaction has inserted rows by SQL.
    static BRINGS_ROWS: Cell<bool> = const { Cell::new(false) };
    /// Whether the transaction hooks of this process are registered.
    static HOOKED: Cell<bool> = const { Cell::new(false) };
}

#[repr(C, align(64))]
struct Slot {
    /// The lowest position that the process may hold; [`NOTHING`] if it holds none.
    lowest: AtomicI64,
    /// The number of the slot of the database to which the position belongs.
    database_slot: AtomicU32,
    /// When the statement that published the position began, as a timestamptz.
    since: AtomicI64,
}

/// A process that holds positions.
pub struct PositionHolder {
    pub pid: i32,
    /// The lowest position that it may hold.
    pub lowest: i64,
    /// When the statement that first held a position began.
    pub since: i64,
}

const NOTHING: i64 = i64::MAX;

impl Shared for Slot {
    fn fresh() -> Self {
        Self {
            lowest: AtomicI64::new(NOTHING),
            database_slot: AtomicU32::new(0),
            since: AtomicI64::new(0),
        }
    }
}

/// Publishes that this transaction may hold the position that `next` returns and all above it, then
/// draws with `draw`. Positions that the transaction draws later are above the published one.
pub fn publish_and_draw(
    database_slot: DatabaseSlot,
    next: impl Fn() -> i64,
    draw: impl Fn() -> i64,
) -> i64 {
    if HOLDS_IN.get() == Some(database_slot) {
        return draw();
    }
    let slot = publish(database_slot, next());
    let drawn = draw();
    // Other processes may have drawn meanwhile. Hold back only the positions of this transaction.
    slot.lowest.store(drawn, SeqCst);
    drawn
}

/// Publishes that this transaction may hold any position, because it inserts rows that have
/// positions already.
pub fn publish_all(database_slot: DatabaseSlot) {
    publish(database_slot, 1);
    if !BRINGS_ROWS.replace(true) {
        foreign::begin();
    }
}

fn publish(database_slot: DatabaseSlot, lowest: i64) -> &'static Slot {
    if !HOOKED.get() {
        transaction::register(&HOOKS);
        HOOKED.set(true);
    }
    let slot = &SLOTS.get()[my_process_number()];
    if HOLDS_IN.replace(Some(database_slot)) != Some(database_slot) {
        // Only people read this, so it is not worth a call of the clock.
        slot.since.store(transaction::statement_start(), Relaxed);
    }
    slot.database_slot.store(database_slot.number(), SeqCst);
    slot.lowest.store(lowest, SeqCst);
    slot
}

/// The lowest position that any process may hold in this database.
pub fn lowest(database_slot: DatabaseSlot) -> Option<i64> {
    held(database_slot).min()
}

/// How many processes may hold a position in this database.
pub fn in_flight(database_slot: DatabaseSlot) -> u32 {
    held(database_slot).fold(0, |count, _| count + 1)
}

/// The processes that may hold positions in this database. For people: a transaction that is ending
/// may show only in part.
pub fn holders(database_slot: DatabaseSlot) -> impl Iterator<Item = PositionHolder> {
    let slots = SLOTS.get().iter().enumerate();
    slots.filter_map(move |(process, slot)| {
        Some(PositionHolder {
            lowest: slot.held(database_slot)?,
            since: slot.since.load(Relaxed),
            pid: process_id(process)?,
        })
    })
}

fn held(database_slot: DatabaseSlot) -> impl Iterator<Item = i64> {
    SLOTS
        .get()
        .iter()
        .filter_map(move |slot| slot.held(database_slot))
}

impl Slot {
    /// The lowest position that the process of this slot may hold in this database.
    fn held(&self, database_slot: DatabaseSlot) -> Option<i64> {
        let lowest = self.lowest.load(SeqCst);
        (lowest != NOTHING && self.database_slot.load(SeqCst) == database_slot.number())
            .then_some(lowest)
    }
}

pub fn request() {
    SLOTS.request(max_processes());
}

pub fn attach() {
    SLOTS.attach(max_processes());
}

/// Withdraws the positions of the transaction. Every process now sees how it ended.
fn withdraw(ended: TransactionEnd) {
    if let Some(database_slot) = HOLDS_IN.take() {
        if matches!(ended, TransactionEnd::Committed) {
            database_slot.database().confirmed.raise();
        }
        SLOTS.get()[my_process_number()]
            .lowest
            .store(NOTHING, SeqCst);
        if BRINGS_ROWS.replace(false) {
            // From now on, all processes see the rows that the transaction inserted.
            database_slot.database().doubts.fetch_add(1, SeqCst);
            foreign::end();
        }
        // Also after a rollback: the safe position moves past the positions that were given up.
        database_slot.database().wake.tell_notifier();
        database_slot.database().counts.end(ended);
    }
}

/// The positions of a subtransaction stay held, but its appends may be rolled back.
fn end_subtransaction(subtransaction: u32, parent: u32, ended: TransactionEnd) {
    if let Some(database_slot) = HOLDS_IN.get() {
        let counts = &database_slot.database().counts;
        counts.end_subtransaction(subtransaction, parent, ended);
    }
}

/// Raises an error, because a prepared transaction outlives its process, and the registry tracks
/// processes.
fn refuse_prepare() {
    if HOLDS_IN.get().is_some() {
        raise(&Unavailable::Prepared.into());
    }
}
