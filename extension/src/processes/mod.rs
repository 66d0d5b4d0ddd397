//! Our processes, for those who look after them: what each is at, and what went wrong, also with those that have ended.
//!
//! - this module: a slot in shared memory for each process, kept until another one needs it.
//! - [`batches`]: which events a worker has handed to a handler, so that a process that ends on them leaves a trace.
//! - [`crash_file`]: the same on disk, for what shared memory does not survive.

mod batch_slot;
pub mod batches;
mod crash_file;
pub mod freeze;
pub mod launcher_latch;
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

/// To be called first by each process of ours.
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
        // Somebody wants it to end.
        if sqlstate != "57P01" {
            fail(sqlstate, message);
        }
    });
}

/// This process has connected, and begins its work.
pub fn is_at_work() {
    if let Some(slot) = my_slot() {
        slot.at_work.store(true, SeqCst);
    }
}

/// Whether a process of this kind ended before it could begin its work, as where its role may not log in.
pub fn never_began(kind: Kind, database: u32, role: u32) -> bool {
    SLOTS.get().iter().any(|slot| {
        slot.is(kind, database, role) && slot.pid.load(SeqCst) == 0 && !slot.at_work.load(SeqCst)
    })
}

/// Notes that this process could not do what it is there for.
pub fn failed(error: &ErrorSummary) {
    fail(&error.sqlstate, &error.message);
}

/// The same, for what is not an error of the server's.
pub fn fail(sqlstate: &str, message: &str) {
    if let Some(slot) = my_slot() {
        slot.record_failure(sqlstate, message);
    }
}

/// Those of a database, and those of the whole server.
pub fn list(database: u32) -> Vec<ProcessState> {
    let of = |slot: &&ProcessSlot| [0, database].contains(&slot.database.load(SeqCst));
    SLOTS
        .get()
        .iter()
        .filter(of)
        .filter_map(ProcessSlot::state)
        .collect()
}

/// Whether a worker of this role has ended in the middle of a batch, and nobody has dealt with that yet.
pub fn has_left(database: u32, role: u32) -> bool {
    SLOTS.get().iter().any(|slot| {
        slot.is(Kind::Projections, database, role)
            && slot.pid.load(SeqCst) == 0
            && !slot.batch.is_empty()
    })
}

/// Forgets the processes of a database that is gone.
pub fn forget(database: u32) {
    for (number, slot) in SLOTS.get().iter().enumerate() {
        if slot.database.load(SeqCst) == database && slot.pid.load(SeqCst) == 0 {
            batches::settle(number);
            slot.kind.store(0, SeqCst);
        }
    }
}
