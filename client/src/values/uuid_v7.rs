//! New UUIDs, version 7: they contain the current time and rise within a thread. They do not ask
//! the system for random bytes each time, because that would take longer than the rest of a small
//! append in memory.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// A UUID that no other thread or program makes.
pub(crate) fn new() -> Uuid {
    thread_local! {
        static SOURCE: RefCell<Source> = RefCell::new(Source::new());
    }
    let next = SOURCE.try_with(|source| source.borrow_mut().next(milliseconds()));
    // The thread is ending and its generator is gone: use the system's random bytes.
    next.unwrap_or_else(|_| Uuid::now_v7())
}

fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// The generator of one thread. In each millisecond it starts at a random number of 73 bits and
/// adds random steps (RFC 9562, section 6.2, method 2). So neither two threads nor two programs
/// make the same UUID.
struct Source {
    /// A keyed hash of a counter. It is random to anyone who does not know the key; the key comes
    /// from the system.
    key: RandomState,
    counter: u64,
    millisecond: u64,
    /// The `BITS` after the time, without version and variant.
    tail: u128,
}

impl Source {
    const BITS: u32 = 74;

    fn new() -> Self {
        Self {
            key: RandomState::new(),
            counter: 0,
            millisecond: 0,
            tail: 0,
        }
    }

    fn next(&mut self, now: u64) -> Uuid {
        self.tail += 1 + (u128::from(self.random()) >> 32);
        if now > self.millisecond || self.tail >> Self::BITS != 0 {
            // Ids keep rising even if the clock is set back.
            self.millisecond = now.max(self.millisecond + 1);
            let random = u128::from(self.random()) << 64 | u128::from(self.random());
            self.tail = random >> (128 - Self::BITS + 1);
        }
        let (high, low) = (self.tail >> 62, self.tail & ((1 << 62) - 1));
        let time = u128::from(self.millisecond) << 80;
        Uuid::from_u128(time | 7 << 76 | high << 64 | 2 << 62 | low)
    }

    fn random(&mut self) -> u64 {
        self.counter += 1;
        self.key.hash_one(self.counter)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_of_this_moment() {
        let before = milliseconds();
        let id = new();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
        let of = seconds * 1_000 + u64::from(nanoseconds) / 1_000_000;
        assert!((before..=milliseconds()).contains(&of), "{id}");
    }

    #[test]
    fn ids_of_a_thread_rise_even_when_the_clock_is_set_back() {
        let mut source = Source::new();
        let times = (0..10_000).map(|n| if n < 5_000 { 1_000 + n / 100 } else { 7 });
        let ids: Vec<_> = times.map(|now| source.next(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn ids_that_run_out_of_one_millisecond_go_on_in_the_next() {
        let mut source = Source::new();
        let first = source.next(5);
        source.tail = (1 << Source::BITS) - 1;
        let next = source.next(5);
        assert!(next > first);
        assert_eq!(next.as_u128() >> 80, 6);
    }

    #[test]
    fn ids_of_many_threads_are_different() {
        let threads: Vec<_> = (0..8)
            .map(|_| thread::spawn(|| (0..10_000).map(|_| new()).collect::<Vec<_>>()))
            .collect();
        let ids = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        assert_eq!(ids.collect::<HashSet<_>>().len(), 80_000);
    }
}
