//! What the clones of a store share: the events, who follows them, and who waits for a change.

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
    waiting: Mutex<Waiting>,
    log: RwLock<Log>,
    snapshots: Mutex<Snapshots>,
    subscriptions: Mutex<Subscriptions>,
    checkpoints: Mutex<Checkpoints>,
}

#[derive(Default)]
struct Waiting {
    wakers: HashMap<u64, Waker>,
    next: u64,
}

/// A place among those who wait for a change. First take it, then look: a change in between wakes.
pub(super) struct Place<'a> {
    shared: &'a Shared,
    ticket: Option<u64>,
}

/// Done as soon as there is an event after a position.
struct LaterThan<'a> {
    place: Place<'a>,
    after: Position,
}

impl Shared {
    pub(super) fn log(&self) -> RwLockReadGuard<'_, Log> {
        // A panic while the lock is held leaves the log as it was: it is changed by pushes only,
        // after everything has been checked.
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
        let place = self.place();
        LaterThan { place, after }
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place {
            shared: self,
            ticket: None,
        }
    }

    /// Wakes everyone who waits for a change.
    pub(super) fn wake(&self) {
        let mut waiting = self.waiting();
        if !waiting.wakers.is_empty() {
            let wakers = std::mem::take(&mut waiting.wakers);
            // A waker may do anything, also wait again: not with the lock in hand.
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

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    pub(super) fn take(&mut self, cx: &Context<'_>) {
        let ticket = self.shared.waiting().enter(self.ticket, cx.waker());
        self.ticket = Some(ticket);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.waiting().wakers.remove(&ticket);
        }
    }
}

impl Future for LaterThan<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.place.take(cx);
        if self.place.shared.log().last_position() > self.after {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Waiting {
    fn enter(&mut self, ticket: Option<u64>, waker: &Waker) -> u64 {
        let ticket = ticket.unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.wakers.insert(ticket, waker.clone());
        ticket
    }
}
