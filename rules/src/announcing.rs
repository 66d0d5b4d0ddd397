//! How long the notifier pauses between two announcements of new events.
//!
//! An announcement wakes all who wait or listen, and they take the processors from the writers. With
//! a single writer listeners are prompt. With many writers the pause grows with the number of appends
//! in flight, and with what an announcement costs: so waiters and listeners take about the same share
//! of the time, whether there are twenty or a thousand.

use std::time::Duration;

/// The shortest pause, in milliseconds.
pub const SHORTEST_PAUSE: u32 = 2;

/// The longest pause, in milliseconds, but for hundreds of waiters or listeners.
pub const LONGEST_PAUSE: u32 = 50;

/// The longest pause however many there are, in milliseconds. After this time a waiter looks for new
/// events without being woken.
pub const LONGEST_PAUSE_OF_ALL: u32 = 1_000;

/// The longest pause is this many milliseconds for each unit of load, if that is longer.
const PAUSE_PER_LOAD: u32 = 2;

/// This many waiters that wake up and check cost the writers as much as one notification does.
const WAITERS_PER_LOAD: u32 = 4;

/// The server does not tell how many sessions listen. But the notifier sends each of them a
/// signal: the processor time of sending above this is about a microsecond for each.
const SENDING: Duration = Duration::from_micros(200);

/// This many microseconds are one more unit of load.
const MICROSECONDS_PER_LOAD: u32 = 4;

/// The pause after an announcement, in milliseconds.
///
/// - `last`: the pause before it. The next one moves only halfway from there, because the
///   announcement may have been made in a lull.
/// - `in_flight`: how many transactions held positions when it was made.
/// - `checks`: how often waiters had looked for new events since the announcement before.
/// - `sending`: the processor time that it took to notify.
pub fn pause(last: u32, in_flight: u32, checks: u32, sending: Duration) -> u32 {
    let listeners = sending.saturating_sub(SENDING).as_micros();
    let listeners = u32::try_from(listeners).unwrap_or(u32::MAX);
    let load = (checks / WAITERS_PER_LOAD).saturating_add(listeners / MICROSECONDS_PER_LOAD);
    let longest = load
        .saturating_mul(PAUSE_PER_LOAD)
        .clamp(LONGEST_PAUSE, LONGEST_PAUSE_OF_ALL);
    let next = in_flight
        .saturating_mul(load.saturating_add(1))
        .clamp(SHORTEST_PAUSE, longest);
    // Those who were many may have left.
    u32::midpoint(last.min(longest), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITTLE: Duration = Duration::from_micros(60);

    /// The pause that many announcements under the same load lead to.
    fn settled(in_flight: u32, checks: u32, sending: Duration) -> u32 {
        (0..40).fold(SHORTEST_PAUSE, |last, _| {
            pause(last, in_flight, checks, sending)
        })
    }

    #[test]
    fn with_few_who_wait_it_depends_on_the_writers_alone() {
        assert_eq!(settled(0, 0, LITTLE), SHORTEST_PAUSE);
        assert_eq!(settled(1, 3, LITTLE), SHORTEST_PAUSE);
        assert_eq!(settled(16, 3, LITTLE), 15);
        assert_eq!(settled(200, 0, LITTLE), LONGEST_PAUSE - 1);
    }

    #[test]
    fn twenty_waiters_do_not_make_it_longer_than_before() {
        // Each checks twice: when it is woken, and when it waits again.
        assert!(settled(64, 40, LITTLE) <= LONGEST_PAUSE);
    }

    #[test]
    fn ten_times_the_waiters_are_woken_a_tenth_as_often() {
        assert_eq!(settled(16, 200, LITTLE), 99);
        assert_eq!(settled(16, 2_000, LITTLE), 999);
    }

    #[test]
    fn listeners_count_by_the_time_that_it_takes_to_signal_them() {
        assert_eq!(settled(16, 0, Duration::from_micros(1_200)), 499);
        assert_eq!(settled(1, 0, Duration::from_micros(1_200)), 250);
    }

    #[test]
    fn no_number_makes_it_longer_than_a_waiter_waits_by_itself() {
        let all = pause(u32::MAX, u32::MAX, u32::MAX, Duration::MAX);
        assert_eq!(all, LONGEST_PAUSE_OF_ALL);
    }

    #[test]
    fn when_a_thousand_have_left_it_is_short_at_once() {
        assert!(pause(LONGEST_PAUSE_OF_ALL, 1, 0, LITTLE) <= LONGEST_PAUSE);
    }
}
