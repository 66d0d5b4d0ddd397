//! The batches that workers are processing. If a process ends in the middle of a batch, the next
//! worker counts that as a failure of the batch and continues as after any other failure.
//!
//! ```text
//! empty ─ begin ─> running ─ done ─> empty
//!                     │
//!                     ├─ the process ends by itself ────────────> at fault ──┐
//!                     ├─ it is told to end, e.g. at shutdown ───> empty      ├─ claim ─> claimed ─ settled ─> empty
//!                     └─ the server crashes ────────────────────> crash file ┘
//! ```

use super::batch_slot::{AT_FAULT, BLAMELESS, CLAIMED, EMPTY, KILLED_WITH_OTHERS, RUNNING};
use super::crash_file::{self, Record};
use super::slots::{Kind, MY_SLOT, ProcessSlot, SLOTS, my_slot};
use crate::pg::catch::ErrorSummary;
use crate::pg::shared_memory::my_database;
use crate::pg::{process, signals};
use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering::SeqCst;

/// SQLSTATE 57P02, crash_shutdown.
const CRASHED: &str = "57P02";
const BY_ITSELF: &str =
    "the worker's process was killed or crashed in the middle of this, and the server with it";
const WITH_OTHERS: &str = "the server crashed or was killed in the middle of this";

thread_local! {
    /// The error with which this process is about to end: SQLSTATE and message.
    static LAST_ERROR: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
    /// The abandoned batch that this process is handling: its slot, and its state before.
    static CLAIM: Cell<Option<(usize, u32)>> = const { Cell::new(None) };
}

/// A batch that an ended process has abandoned, claimed by this process. If this process ends too,
/// the batch is left for the next one.
pub struct AbandonedBatch {
    slot: usize,
    pub checkpoint: i64,
    pub events: Option<(i64, i64)>,
    pub replay: Option<i64>,
    pub error: ErrorSummary,
    /// Whether no event caused the end of the process.
    pub blameless: bool,
}

/// Marks the batches in the crash file as abandoned. To be called when the shared memory is new.
pub fn recover(slots: &[ProcessSlot]) {
    let (witnessed, records) = crash_file::start(slots.len());
    for (number, mut record) in records {
        record.state = match record.state {
            RUNNING if witnessed => AT_FAULT,
            RUNNING | KILLED_WITH_OTHERS | BLAMELESS => BLAMELESS,
            AT_FAULT => AT_FAULT,
            _ => continue,
        };
        crash_file::write(number, &record);
        let slot = &slots[number];
        slot.kind.store(Kind::Projections as u32, SeqCst);
        slot.database.store(record.database, SeqCst);
        slot.role.store(record.role, SeqCst);
        let by_itself = record.state == AT_FAULT;
        let ending = if by_itself { BY_ITSELF } else { WITH_OTHERS };
        slot.batch.ending.store(&format!("{CRASHED}{ending}"));
        slot.batch.store(&record);
    }
    process::at_postmaster_exit(crash_file::witness);
}

/// Marks the batch of this process as abandoned when the process ends. To be called by a worker
/// once it has logged in.
pub fn watch() {
    process::at_exit(end);
}

/// Records that this process is about to call a handler.
pub fn begin(projection: &str, checkpoint: i64, events: Option<(i64, i64)>, replay: Option<i64>) {
    let (Some(number), Some(slot)) = (MY_SLOT.get(), my_slot()) else {
        return;
    };
    let (first, last) = events.unwrap_or((0, 0));
    let record = Record {
        state: RUNNING,
        database: my_database(),
        role: slot.role.load(SeqCst),
        checkpoint,
        first,
        last,
        replay: replay.unwrap_or(0),
        projection: projection.to_owned(),
    };
    slot.batch.store(&record);
    crash_file::write(number, &record);
    if let Some((file, offset)) = crash_file::place_of_state(number) {
        signals::write_when_others_crash(file, offset, KILLED_WITH_OTHERS);
    }
}

/// Records that the transaction that called the handler has ended.
pub fn done() {
    let (Some(number), Some(slot)) = (MY_SLOT.get(), my_slot()) else {
        return;
    };
    if slot.batch.state.load(SeqCst) == RUNNING {
        signals::write_nothing_when_others_crash();
        crash_file::set_state(number, EMPTY);
        slot.batch.clear();
    }
}

/// Records the error with which this process is about to end.
pub fn ends_with(sqlstate: &str, message: &str) {
    LAST_ERROR.set(Some((sqlstate.to_owned(), message.to_owned())));
}

/// Whether an ended process has abandoned a batch of this projection. It has to be handled before
/// the projection continues.
pub fn is_abandoned(projection: &str) -> bool {
    let database = my_database();
    SLOTS
        .get()
        .iter()
        .any(|slot| is_of(slot, database, projection))
}

/// Whether an ended process has abandoned a batch of any projection of this database.
pub fn any_abandoned() -> bool {
    let database = my_database();
    let mut slots = SLOTS.get().iter();
    slots.any(|slot| slot.batch.is_abandoned() && slot.database.load(SeqCst) == database)
}

/// Claims the abandoned batch of this projection; `None` if there is none or another worker is
/// handling it.
pub fn claim(projection: &str) -> Option<AbandonedBatch> {
    let database = my_database();
    let slots = SLOTS.get().iter().enumerate();
    for (number, slot) in slots.filter(|(_, slot)| is_of(slot, database, projection)) {
        let left = &slot.batch;
        let state = left.state.load(SeqCst);
        if ![AT_FAULT, BLAMELESS].contains(&state)
            || left
                .state
                .compare_exchange(state, CLAIMED, SeqCst, SeqCst)
                .is_err()
        {
            continue;
        }
        CLAIM.set(Some((number, state)));
        let (first, replay) = (left.first.load(SeqCst), left.replay.load(SeqCst));
        let ending = left.ending.load();
        let (sqlstate, message) = ending.split_at_checked(5).unwrap_or((CRASHED, BY_ITSELF));
        return Some(AbandonedBatch {
            slot: number,
            checkpoint: left.checkpoint.load(SeqCst),
            events: (first != 0).then(|| (first, left.last.load(SeqCst))),
            replay: (replay != 0).then_some(replay),
            error: ErrorSummary {
                sqlstate: sqlstate.to_owned(),
                message: message.to_owned(),
                is_full_queue: false,
            },
            blameless: state == BLAMELESS,
        });
    }
    None
}

impl AbandonedBatch {
    /// Records that the batch has been handled.
    pub fn settled(self) {
        CLAIM.set(None);
        settle(self.slot);
    }
}

/// Forgets the abandoned batches of projections that no longer exist.
pub fn forget_all_but(is_there: impl Fn(&str) -> bool) {
    let database = my_database();
    for (number, slot) in SLOTS.get().iter().enumerate() {
        let left = &slot.batch;
        if slot.database.load(SeqCst) == database
            && [AT_FAULT, BLAMELESS].contains(&left.state.load(SeqCst))
            && !is_there(&left.projection.load())
        {
            settle(number);
        }
    }
}

/// Forgets the abandoned batch of a slot.
pub(super) fn settle(number: usize) {
    crash_file::set_state(number, EMPTY);
    SLOTS.get()[number].batch.clear();
}

fn is_of(slot: &ProcessSlot, database: u32, projection: &str) -> bool {
    slot.batch.is_abandoned()
        && slot.database.load(SeqCst) == database
        && slot.batch.projection.load() == projection
}

/// Called at the end of this process, while it still holds the lock of its projection.
fn end() {
    if let Some((number, state)) = CLAIM.take() {
        SLOTS.get()[number].batch.state.store(state, SeqCst);
    }
    let (Some(number), Some(slot)) = (MY_SLOT.get(), my_slot()) else {
        return;
    };
    if slot.batch.state.load(SeqCst) != RUNNING {
        return;
    }
    if signals::is_ended_by_postmaster() {
        done();
        return;
    }
    let (sqlstate, message) = LAST_ERROR
        .take()
        .unwrap_or_else(|| (CRASHED.to_owned(), "the process has ended".to_owned()));
    let ending = format!("{sqlstate}the worker's process ended in the middle of this: {message}");
    signals::write_nothing_when_others_crash();
    slot.batch.ending.store(&ending);
    crash_file::set_state(number, AT_FAULT);
    slot.batch.state.store(AT_FAULT, SeqCst);
}
