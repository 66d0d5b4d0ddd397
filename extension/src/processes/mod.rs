//! What all background processes of the extension share: a slot that shows what each is doing and
//! how it failed, even after it has ended.
//!
//! - [`slots`]: the slots in shared memory.
//! - [`batches`], [`batch_slot`]: the batches that workers are processing, so that a process that
//!   ends in the middle of one leaves a trace.
//! - [`crash_file`]: the same on disk, because a crash resets the shared memory.
//! - [`retry`]: retrying after a failure.
//! - [`log`]: logging the same line only once a minute.
//! - [`freeze`]: whether a process may write on its own.
//! - [`launcher_latch`]: waking the launcher.

mod batch_slot;
pub mod batches;
mod crash_file;
pub mod freeze;
pub mod launcher_latch;
pub mod log;
pub mod retry;
mod slots;
mod text;

use crate::pg::catch::ErrorSummary;
use crate::pg::shared_memory::exclusively;
use crate::pg::{process, signals, transaction, worker};
pub use slots::{Kind, ProcessState};
use slots::{MY_SLOT, ProcessSlot, SLOTS, count, my_slot};
use std::sync::atomic::Ordering::SeqCst;

pub fn request_shared_memory() {
    SLOTS.request(count());
}

pub fn attach_shared_memory() {
    if SLOTS.attach(count()) && worker::may_work() {
        batches::recover(SLOTS.get());
    }
}

/// Takes a slot for this process. Every background process calls this first.
pub fn begin(kind: Kind, database: u32, role: u32) {
    let slots = SLOTS.get();
    let found = exclusively(|| {
        let free = |slot: &&ProcessSlot| slot.is_free();
        let position = |wanted: &dyn Fn(&ProcessSlot) -> bool| {
            slots.iter().position(|slot| slot.is_free() && wanted(slot))
        };
        let oldest = || {
            let ended = slots.iter().enumerate().filter(|(_, slot)| free(slot));
            ended
                .min_by_key(|(_, slot)| slot.since.load(SeqCst))
                .map(|(number, _)| number)
        };
        let number = position(&|slot| slot.is(kind, database, role))
            .or_else(|| position(&|slot| slot.kind.load(SeqCst) == 0))
            .or_else(oldest)?;
        let slot = &slots[number];
        if !slot.is(kind, database, role) {
            slot.failures.store(0, SeqCst);
            slot.kind.store(kind as u32, SeqCst);
            slot.database.store(database, SeqCst);
            slot.role.store(role, SeqCst);
        }
        slot.at_work.store(false, SeqCst);
        slot.since.store(transaction::now(), SeqCst);
        slot.pid.store(process::my_pid(), SeqCst);
        Some(number)
    });
    MY_SLOT.set(found);
    process::at_exit(|| {
        if let Some(slot) = my_slot() {
            slot.pid.store(0, SeqCst);
        }
    });
    signals::on_fatal(|sqlstate, message| {
        batches::ends_with(sqlstate, message);
        // 57P01: the process was told to end. That is no failure.
        if sqlstate != "57P01" {
            fail(sqlstate, message);
        }
    });
}

/// Records that this process has connected and begins its work.
pub fn is_at_work() {
    if let Some(slot) = my_slot() {
        slot.at_work.store(true, SeqCst);
    }
}

/// Whether a process of this kind ended before it could begin its work, for example because its
/// role may not log in.
pub fn never_began(kind: Kind, database: u32, role: u32) -> bool {
    SLOTS.get().iter().any(|slot| {
        slot.is(kind, database, role) && slot.pid.load(SeqCst) == 0 && !slot.at_work.load(SeqCst)
    })
}

/// Records that this process failed to do its work.
pub fn failed(error: &ErrorSummary) {
    fail(&error.sqlstate, &error.message);
}

/// Records a failure that is not an error of the server.
pub fn fail(sqlstate: &str, message: &str) {
    if let Some(slot) = my_slot() {
        slot.record_failure(sqlstate, message);
    }
}

/// The processes of a database, and those of the whole server.
pub fn list(database: u32) -> Vec<ProcessState> {
    let of = |slot: &&ProcessSlot| [0, database].contains(&slot.database.load(SeqCst));
    SLOTS
        .get()
        .iter()
        .filter(of)
        .filter_map(ProcessSlot::state)
        .collect()
}

/// Whether a worker of this role has ended in the middle of a batch that has not been handled yet.
pub fn has_left(database: u32, role: u32) -> bool {
    SLOTS.get().iter().any(|slot| {
        slot.is(Kind::Projections, database, role)
            && slot.pid.load(SeqCst) == 0
            && !slot.batch.is_empty()
    })
}

/// Forgets the processes of a database that was dropped.
pub fn forget(database: u32) {
    for (number, slot) in SLOTS.get().iter().enumerate() {
        if slot.database.load(SeqCst) == database && slot.pid.load(SeqCst) == 0 {
            batches::settle(number);
            slot.kind.store(0, SeqCst);
        }
    }
}
