//! A timer without an async runtime: one thread for the whole program, started by the first sleep.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Ready after a duration. If no thread can be started, it is ready at once.
pub(super) fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
    until(Instant::now().checked_add(duration))
}

/// Ready at this time; `None` is beyond what the clock can represent.
pub(super) fn until(until: Option<Instant>) -> impl Future<Output = ()> + Send + Unpin {
    Sleep { until, alarm: None }
}

struct Sleep {
    until: Option<Instant>,
    /// The alarm that is set; removed when nothing waits for it any more.
    alarm: Option<Key>,
}

/// When an alarm is due, and a number that distinguishes alarms of the same time.
type Key = (Instant, u64);

#[derive(Default)]
struct Timer {
    alarms: Mutex<Alarms>,
    earlier: Condvar,
}

#[derive(Default)]
struct Alarms {
    wakers: BTreeMap<Key, Waker>,
    next: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.until {
            None => Poll::Pending,
            Some(at) if at <= Instant::now() => Poll::Ready(()),
            Some(at) => match Timer::running() {
                None => Poll::Ready(()),
                Some(timer) => {
                    let mut alarms = timer.alarms();
                    let key = *self.alarm.get_or_insert_with(|| {
                        alarms.next += 1;
                        (at, alarms.next)
                    });
                    alarms.wakers.insert(key, cx.waker().clone());
                    drop(alarms);
                    timer.earlier.notify_one();
                    Poll::Pending
                }
            },
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(key), Some(timer)) = (self.alarm, Timer::running()) {
            let waker = timer.alarms().wakers.remove(&key);
            drop(waker);
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
            while let Some(alarm) = alarms.wakers.first_entry()
                && alarm.key().0 <= now
            {
                due.push(alarm.remove());
            }
            if !due.is_empty() {
                // Release the lock first: a waker may do anything, even set an alarm.
                drop(alarms);
                due.into_iter().for_each(Waker::wake);
                alarms = self.alarms();
                continue;
            }
            let first = alarms.wakers.first_key_value();
            let wait = first.map(|((at, _), _)| at.saturating_duration_since(now));
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

    fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
