//! What each process may hold: the lowest position of its transaction, in a slot of its own.

use super::databases::DatabaseSlot;
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
    /// The database_slot of the database in which this process has published a position.
    static HOLDS_IN: Cell<Option<DatabaseSlot>> = const { Cell::new(None) };
    /// This transaction has brought rows by SQL.
    static BRINGS_ROWS: Cell<bool> = const { Cell::new(false) };
    /// The transaction hooks of this process are registered.
    static HOOKED: Cell<bool> = const { Cell::new(false) };
}

#[repr(C, align(64))]
struct Slot {
    /// The lowest position that the process may hold, [`NOTHING`] if it holds none.
    lowest: AtomicI64,
    /// The number of the database_slot that the position is of.
    database_slot: AtomicU32,
    /// When the statement began that published it, as a timestamptz.
    since: AtomicI64,
}

/// What a process holds.
pub struct PositionHolder {
    pub pid: i32,
    /// The lowest position that it may hold.
    pub lowest: i64,
    /// When the statement began that came to hold it.
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

/// Publishes that this transaction may hold what `next` gives and all above, then draws with `draw`.
/// What a transaction draws later is above what it published first.
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
    // Others may have drawn since: hold back no more than is ours.
    slot.lowest.store(drawn, SeqCst);
    drawn
}

/// Publishes that this transaction may hold any position: for rows that come with theirs.
pub fn publish_all(database_slot: DatabaseSlot) {
    publish(database_slot, 1);
    BRINGS_ROWS.set(true);
}

fn publish(database_slot: DatabaseSlot, lowest: i64) -> &'static Slot {
    if !HOOKED.get() {
        transaction::register(&HOOKS);
        HOOKED.set(true);
    }
    let slot = &SLOTS.get()[my_process_number()];
    if HOLDS_IN.replace(Some(database_slot)) != Some(database_slot) {
        // For people only: a look at the clock is not worth it.
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

/// Who may hold positions in this database: for people, who may see a transaction half gone.
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
    /// The lowest position that its process may hold in this database.
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

/// Everybody sees by now how the transaction ended: it holds no position any more.
fn withdraw(ended: TransactionEnd) {
    if let Some(database_slot) = HOLDS_IN.take() {
        if matches!(ended, TransactionEnd::Committed) {
            database_slot.database().confirmed.raise();
        }
        SLOTS.get()[my_process_number()]
            .lowest
            .store(NOTHING, SeqCst);
        if BRINGS_ROWS.replace(false) {
            // What came with them is there for all from now on.
            database_slot.database().doubts.fetch_add(1, SeqCst);
        }
        // Also after a rollback: the safe position moves over what is gone.
        database_slot.database().wake.tell_notifier();
        database_slot.database().counts.end(ended);
    }
}

/// The positions of a part of the transaction stay held, but its appends may be gone.
fn end_subtransaction(subtransaction: u32, parent: u32, ended: TransactionEnd) {
    if let Some(database_slot) = HOLDS_IN.get() {
        let counts = &database_slot.database().counts;
        counts.end_subtransaction(subtransaction, parent, ended);
    }
}

/// A prepared transaction outlives its process, and the registry speaks of processes.
fn refuse_prepare() {
    if HOLDS_IN.get().is_some() {
        raise(&Unavailable::Prepared.into());
    }
}
