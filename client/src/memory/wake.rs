//! What the clones of a store share: the events, and who waits for more of them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, Waker};

use super::log::Log;
use crate::{Append, Appended, Position, StoreError};

#[derive(Default)]
pub(super) struct Shared {
    log: RwLock<Log>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: HashMap<u64, Waker>,
    next: u64,
}

/// Done as soon as there is an event after a position.
struct LaterThan<'a> {
    shared: &'a Shared,
    after: Position,
    ticket: Option<u64>,
}

impl Shared {
    pub(super) fn log(&self) -> RwLockReadGuard<'_, Log> {
        // A panic while the lock is held leaves the log as it was: it is changed by pushes only,
        // after everything has been checked.
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let appended = self
            .log
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .append(append)?;
        if appended.last_position.is_some() && !appended.repeated {
            let wakers = std::mem::take(&mut self.waiting().wakers);
            wakers.into_values().for_each(Waker::wake);
        }
        Ok(appended)
    }

    pub(super) fn later_than(&self, after: Position) -> impl Future<Output = ()> + Send {
        LaterThan {
            shared: self,
            after,
            ticket: None,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for LaterThan<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // First get in line, then look: an append in between wakes us.
        let ticket = self.shared.waiting().enter(self.ticket, cx.waker());
        self.ticket = Some(ticket);
        if self.shared.log().last_position() > self.after {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for LaterThan<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.waiting().wakers.remove(&ticket);
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
