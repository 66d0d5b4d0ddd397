//! A timer without an async runtime: one thread for the whole program, started by the first wait.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Done after a duration. Where no thread can be started it is done at once.
pub(super) fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
    until(Instant::now().checked_add(duration))
}

/// Done at this time; `None` is later than the clock can say.
pub(super) fn until(until: Option<Instant>) -> impl Future<Output = ()> + Send + Unpin {
    Sleep { until }
}

struct Sleep {
    until: Option<Instant>,
}

#[derive(Default)]
struct Timer {
    alarms: Mutex<BinaryHeap<Alarm>>,
    earlier: Condvar,
}

struct Alarm {
    at: Instant,
    waker: Waker,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.until {
            None => Poll::Pending,
            Some(at) if at <= Instant::now() => Poll::Ready(()),
            Some(at) => match Timer::running() {
                None => Poll::Ready(()),
                Some(timer) => {
                    timer.alarms().push(Alarm {
                        at,
                        waker: cx.waker().clone(),
                    });
                    timer.earlier.notify_one();
                    Poll::Pending
                }
            },
        }
    }
}

impl Timer {
    fn running() -> Option<&'static Self> {
        static TIMER: OnceLock<Timer> = OnceLock::new();
        static STARTED: OnceLock<bool> = OnceLock::new();
        let timer = TIMER.get_or_init(Self::default);
        let started = STARTED.get_or_init(|| {
            let thread = thread::Builder::new().name("eventcore-timer".to_owned());
            thread.spawn(|| timer.run()).is_ok()
        });
        started.then_some(timer)
    }

    fn run(&self) {
        let mut alarms = self.alarms();
        loop {
            let now = Instant::now();
            let mut due = Vec::new();
            while let Some(alarm) = alarms.peek()
                && alarm.at <= now
            {
                due.extend(alarms.pop());
            }
            if !due.is_empty() {
                // A waker may do anything, also set an alarm: not with the lock in hand.
                drop(alarms);
                due.into_iter().for_each(|alarm| alarm.waker.wake());
                alarms = self.alarms();
                continue;
            }
            let wait = alarms
                .peek()
                .map(|alarm| alarm.at.saturating_duration_since(now));
            alarms = match wait {
                None => self
                    .earlier
                    .wait(alarms)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    self.earlier
                        .wait_timeout(alarms, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    fn alarms(&self) -> MutexGuard<'_, BinaryHeap<Alarm>> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The heap gives its greatest first: the earliest alarm.
impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}
