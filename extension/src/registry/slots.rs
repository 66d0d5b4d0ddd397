//! What each process may hold: the lowest position of its transaction, in a slot of its own.

use super::places::Place;
use crate::error::Unavailable;
use crate::pg::raise::raise;
use crate::pg::shared_memory::{Shared, SharedArray, max_processes, my_process_number};
use crate::pg::transaction::{self, Hooks};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

static SLOTS: SharedArray<Slot> = SharedArray::new(c"eventcore slots");

static HOOKS: Hooks = Hooks {
    before_prepare: refuse_prepare,
    after_end: withdraw,
};

thread_local! {
    /// The place of the database in which this process has published a position.
    static HOLDS_IN: Cell<Option<Place>> = const { Cell::new(None) };
    /// The transaction hooks of this process are registered.
    static HOOKED: Cell<bool> = const { Cell::new(false) };
}

#[repr(C, align(64))]
struct Slot {
    /// The lowest position that the process may hold, [`NOTHING`] if it holds none.
    lowest: AtomicI64,
    /// The number of the place that the position is of.
    place: AtomicU32,
}

const NOTHING: i64 = i64::MAX;

impl Shared for Slot {
    fn fresh() -> Self {
        Self {
            lowest: AtomicI64::new(NOTHING),
            place: AtomicU32::new(0),
        }
    }
}

/// Publishes that this transaction may hold what `next` gives and all above, then draws with `draw`.
/// What a transaction draws later is above what it published first.
pub fn publish_and_draw(place: Place, next: impl Fn() -> i64, draw: impl Fn() -> i64) -> i64 {
    if HOLDS_IN.get() == Some(place) {
        return draw();
    }
    let slot = publish(place, next());
    let drawn = draw();
    // Others may have drawn since: hold back no more than is ours.
    slot.lowest.store(drawn, SeqCst);
    drawn
}

/// Publishes that this transaction may hold any position: for rows that come with theirs.
pub fn publish_all(place: Place) {
    publish(place, 1);
}

fn publish(place: Place, lowest: i64) -> &'static Slot {
    if !HOOKED.get() {
        transaction::register(&HOOKS);
        HOOKED.set(true);
    }
    HOLDS_IN.set(Some(place));
    let slot = &SLOTS.get()[my_process_number()];
    slot.place.store(place.number(), SeqCst);
    slot.lowest.store(lowest, SeqCst);
    slot
}

/// The lowest position that any process may hold in this database.
pub fn lowest(place: Place) -> Option<i64> {
    held(place).min()
}

/// How many processes may hold a position in this database.
pub fn in_flight(place: Place) -> u32 {
    held(place).fold(0, |count, _| count + 1)
}

fn held(place: Place) -> impl Iterator<Item = i64> {
    SLOTS.get().iter().filter_map(move |slot| {
        let lowest = slot.lowest.load(SeqCst);
        (lowest != NOTHING && slot.place.load(SeqCst) == place.number()).then_some(lowest)
    })
}

pub fn request() {
    SLOTS.request(max_processes());
}

pub fn attach() {
    SLOTS.attach(max_processes());
}

/// Everybody sees by now how the transaction ended: it holds no position any more.
fn withdraw() {
    if let Some(place) = HOLDS_IN.take() {
        SLOTS.get()[my_process_number()]
            .lowest
            .store(NOTHING, SeqCst);
        // Also after a rollback: the safe position moves over what is gone.
        place.database().wake.tell_notifier();
    }
}

/// A prepared transaction outlives its process, and the registry speaks of processes.
fn refuse_prepare() {
    if HOLDS_IN.get().is_some() {
        raise(&Unavailable::Prepared.into());
    }
}
