//! The same work for all sides: a worker deposits ten times into an account, then opens the next.
//! So a command reads 4.5 events on average.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) const EACH: u64 = 10;
pub(crate) const EVENT_TYPE: &str = "Deposited";
pub(crate) const REFERENCE: &str =
    "invoice 2026-11-001, for the account-000123 from account-000456";

/// The next account, which is unused.
pub(crate) fn account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("account-{:09}", NEXT.fetch_add(1, Relaxed))
}
