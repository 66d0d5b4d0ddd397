//! [`Shared`]: what the clones of a store share: the data, and the wakers of those that wait for a
//! change.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, Waker};

use super::append;
use super::check;
use super::checkpoints::Checkpoints;
use super::durable::Subscriptions;
use super::log::Log;
use super::snapshots::Snapshots;
use crate::store::{Append, Appended, StoreError};
use crate::values::Position;

/// Locks are taken in the order of the fields, from the last to the first.
#[derive(Default)]
pub(super) struct Shared {
    waiting: Mutex<Wakers>,
    log: RwLock<Log>,
    snapshots: Mutex<Snapshots>,
    subscriptions: Mutex<Subscriptions>,
    checkpoints: Mutex<Checkpoints>,
}

#[derive(Default)]
struct Wakers {
    wakers: HashMap<u64, Waker>,
    next: u64,
}

/// The place of a waiter. Register the waker first, then look: a change in between wakes the
/// waiter.
pub(super) struct WakerSlot<'a> {
    shared: &'a Shared,
    ticket: Option<u64>,
}

/// Ready as soon as there is an event after a position.
struct PositionPassed<'a> {
    slot: WakerSlot<'a>,
    after: Position,
}

impl Shared {
    pub(super) fn log(&self) -> RwLockReadGuard<'_, Log> {
        // A panic while the lock is held leaves the log consistent: it is only changed by pushes,
        // after all checks.
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let declared = check::append(append)?;
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        let appended = append::append(&mut log, append, &declared)?;
        drop(log);
        if appended.last_position.is_some() && !appended.repeated {
            self.wake();
        }
        Ok(appended)
    }

    pub(super) fn later_than(&self, after: Position) -> impl Future<Output = ()> + Send {
        let slot = self.waker_slot();
        PositionPassed { slot, after }
    }

    pub(super) fn waker_slot(&self) -> WakerSlot<'_> {
        WakerSlot {
            shared: self,
            ticket: None,
        }
    }

    /// Wakes all waiters.
    pub(super) fn wake(&self) {
        let mut waiting = self.waiting();
        if !waiting.wakers.is_empty() {
            let wakers = std::mem::take(&mut waiting.wakers);
            // Release the lock first: a waker may do anything, even wait again.
            drop(waiting);
            wakers.into_values().for_each(Waker::wake);
        }
    }

    pub(super) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn checkpoints(&self) -> MutexGuard<'_, Checkpoints> {
        self.checkpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Wakers> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WakerSlot<'_> {
    pub(super) fn take(&mut self, cx: &Context<'_>) {
        let ticket = self.shared.waiting().enter(self.ticket, cx.waker());
        self.ticket = Some(ticket);
    }
}

impl Drop for WakerSlot<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.waiting().wakers.remove(&ticket);
        }
    }
}

impl Future for PositionPassed<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.slot.take(cx);
        if self.slot.shared.log().last_position() > self.after {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Wakers {
    fn enter(&mut self, ticket: Option<u64>, waker: &Waker) -> u64 {
        let ticket = ticket.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(ticket, waker.clone());
        ticket
    }
}
