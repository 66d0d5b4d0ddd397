//! How other processes reach the launcher, and what it tells them of the server's configuration.

use crate::pg::process;
use crate::pg::session::is_read_only_by_default;
use crate::pg::shared_memory::{ProcessCell, Shared, SharedArray};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

static LATCH: SharedArray<LauncherLatch> = SharedArray::new(c"eventcore launcher");

struct LauncherLatch {
    launcher: ProcessCell,
    /// `default_transaction_read_only` in the configuration of the server. The launcher knows it,
    /// because no settings of a database or a role apply to its process.
    read_only: AtomicBool,
}

impl Shared for LauncherLatch {
    fn fresh() -> Self {
        Self {
            launcher: ProcessCell::empty(),
            read_only: AtomicBool::new(false),
        }
    }
}

pub fn request_shared_memory() {
    LATCH.request(1);
}

pub fn attach_shared_memory() {
    LATCH.attach(1);
}

/// Wakes the launcher, because a database lacks a notifier. Cannot fail.
pub fn wake() {
    if let Some(latch) = latch() {
        latch.launcher.wake();
    }
}

/// Makes this process the launcher, until it ends.
pub fn become_launcher() {
    process::at_exit(|| {
        if let Some(latch) = latch() {
            latch.launcher.release();
        }
    });
    if let Some(latch) = latch() {
        latch.launcher.take();
    }
}

/// Tells the other processes the settings of the launcher. The launcher calls it after each wait,
/// which may have reloaded the configuration.
pub fn publish_settings() {
    if let Some(latch) = latch() {
        latch.read_only.store(is_read_only_by_default(), SeqCst);
    }
}

/// Whether the configuration of the server makes transactions read-only by default.
pub fn is_server_read_only() -> bool {
    latch().is_some_and(|latch| latch.read_only.load(SeqCst))
}

fn latch() -> Option<&'static LauncherLatch> {
    LATCH.get().first()
}
