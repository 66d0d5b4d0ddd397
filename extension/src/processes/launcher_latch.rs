//! How other processes reach the launcher, and what it tells them of the configuration.

use crate::pg::session::is_read_only_by_default;
use crate::pg::shared_memory::{Shared, SharedArray, wake_process};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

static PROCESS: SharedArray<Process> = SharedArray::new(c"eventcore launcher");

struct Process {
    /// Where to find the launcher: its process number plus one, 0 while there is none.
    number: AtomicU32,
    /// What the configuration of the server says of `default_transaction_read_only`. The launcher knows, for no
    /// settings of a database or a role hold for it.
    frozen: AtomicBool,
}

impl Shared for Process {
    fn fresh() -> Self {
        Self {
            number: AtomicU32::new(0),
            frozen: AtomicBool::new(false),
        }
    }
}

pub fn request_shared_memory() {
    PROCESS.request(1);
}

pub fn attach_shared_memory() {
    PROCESS.attach(1);
}

/// Whether transactions are read-only by default in this server, as far as its configuration says.
pub fn is_server_frozen() -> bool {
    PROCESS
        .get()
        .first()
        .is_some_and(|process| process.frozen.load(SeqCst))
}

/// Tells the launcher that a database lacks a notifier. Cannot fail.
pub fn wake() {
    let process = PROCESS
        .get()
        .first()
        .and_then(|found| found.number.load(SeqCst).checked_sub(1));
    if let Some(process) = process {
        wake_process(process as usize);
    }
}

/// To be called whenever the configuration may have been read again.
pub fn publish_settings() {
    if let Some(process) = PROCESS.get().first() {
        process.frozen.store(is_read_only_by_default(), SeqCst);
    }
}

pub fn set_process(number: u32) {
    if let Some(process) = PROCESS.get().first() {
        process.number.store(number, SeqCst);
    }
}
