//! The live tail: one task waits for the safe position for all browsers; each browser reads the events
//! that match its filter from where it is.
//!
//! The place of a browser is a position. Every message has it as its id, so a browser that comes back
//! says where it was, and neither misses nor repeats an event: over a reconnect, and over a restart of
//! the console or of the server.

mod feed;
mod herald;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

pub(crate) use self::feed::{Feed, Filter};
pub(crate) use self::herald::run;

/// How many live streams are served at the same time.
const MOST: usize = 100;

/// The safe position as the task knows it, and who waits for it.
pub(crate) struct Tail {
    safe: watch::Sender<i64>,
    open: AtomicUsize,
    /// Wakes the task when the first browser comes.
    wanted: Notify,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            safe: watch::Sender::new(0),
            open: AtomicUsize::new(0),
            wanted: Notify::new(),
        }
    }
}

impl Tail {
    /// How many live streams are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a live stream; false if there are too many.
    fn enter(&self) -> bool {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        if before >= MOST {
            self.leave();
            return false;
        }
        self.wanted.notify_one();
        true
    }

    fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
