//! Histories: when a server must begin a new one, and which positions prove that a reader comes
//! from another one.
//!
//! A promotion, a recovery to a point in time and a restore each begin a new history. Up to some
//! position the old and the new history are the same. After it, the same positions could stand for
//! different events. So a new history begins far above all positions that the old one may have
//! given out.

/// A history begins at a multiple of this. Two histories overlap only if 59 hours of 20,000 events
/// a second are lost, and JavaScript's 2^53 leaves room for two million histories.
pub const HISTORY_SPAN: i64 = 1 << 32;

/// No event has a higher position. So every row of a store can be restored, and no number
/// overflows.
pub const MAX_POSITION: i64 = 1 << 62;

/// Where a history is written. Another origin means another history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// What identifies the cluster, from `pg_control`.
    pub system: i64,
    /// The timeline of its log.
    pub timeline: i64,
    /// The oid of the database.
    pub database: u32,
}

/// Why a history began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The store was new.
    New,
    /// A standby was promoted, or a recovery ended at a point in time.
    Timeline,
    /// The database was copied by `CREATE DATABASE`.
    Database,
    /// The store was restored into another cluster, or upgraded.
    Cluster,
    /// Events were inserted by SQL, as in a restore.
    Rows,
    /// The sequence of positions was behind the tables.
    Behind,
}

impl Cause {
    /// The word in `eventcore.history`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Timeline => "timeline",
            Self::Database => "database",
            Self::Cluster => "cluster",
            Self::Rows => "rows",
            Self::Behind => "behind",
        }
    }

    /// Whether the write-ahead log carried everything over, including sequences. A database may
    /// also have been copied by a dump.
    pub const fn is_physical(self) -> bool {
        matches!(self, Self::Timeline)
    }
}

/// What a server finds before it gives out a position.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// The origin of the last history, and its first position.
    pub latest: Option<(Origin, i64)>,
    /// The origin of this server.
    pub here: Origin,
    /// The last reserved position; 0 if there is none.
    pub reserved: i64,
    /// The highest position in any table; 0 if there is none.
    pub known: i64,
    /// The next position in memory; `None` until this server has given out one since its start.
    pub next: Option<i64>,
    /// The highest position inserted by SQL that this server did not give out; 0 if there is none.
    pub foreign: i64,
}

/// What a server does before it gives out a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The history continues.
    GoOn {
        /// The position to give out next.
        next: i64,
    },
    /// A new history begins.
    Begin {
        /// Why.
        cause: Cause,
        /// The last position that may have been given out before.
        reserved: i64,
        /// The position at which it begins. Its events come after this position, unless it is 1, so
        /// that it can serve as a safe position.
        first: i64,
    },
    /// There is no room above the positions in use.
    Exhausted {
        /// The highest of them.
        highest: i64,
    },
}

impl Found {
    /// Decides whether the history continues.
    pub fn decide(&self) -> Decision {
        let floor = self.latest.map_or(0, |(_, first)| first);
        let next = self.next.unwrap_or(self.reserved.saturating_add(1));
        let told = self
            .known
            .max(self.reserved)
            .max(self.foreign)
            .max(self.next.map_or(0, |next| next - 1));
        let cause = match self.latest {
            None if told == 0 => {
                return Decision::Begin {
                    cause: Cause::New,
                    reserved: 0,
                    first: 1,
                };
            }
            None => Cause::Rows,
            Some((origin, _)) if origin.system != self.here.system => Cause::Cluster,
            Some((origin, _)) if origin.database != self.here.database => Cause::Database,
            Some((origin, _)) if origin.timeline != self.here.timeline => Cause::Timeline,
            Some(_) if self.foreign > 0 && self.foreign >= floor => Cause::Rows,
            Some(_) if next < floor || next <= self.known => Cause::Behind,
            Some(_) => return Decision::GoOn { next },
        };
        let reserved = told.max(floor);
        match (reserved / HISTORY_SPAN + 1).checked_mul(HISTORY_SPAN) {
            Some(first) if first <= MAX_POSITION - HISTORY_SPAN => Decision::Begin {
                cause,
                reserved,
                first,
            },
            _ => Decision::Exhausted { highest: reserved },
        }
    }
}

/// Whether a position lies where no history has ever given one out: above the last reserved
/// position of the old history, and below the first position of the next.
pub const fn is_between(after: i64, reserved: i64, first: i64) -> bool {
    reserved < after && after < first
}

/// Whether a position was given out by the history that gives out `next` next, because no history
/// begins between them. If not, it may still have been: a history may span more than
/// [`HISTORY_SPAN`].
pub const fn is_in_history_of(position: i64, next: i64) -> bool {
    0 < position && position < next && position / HISTORY_SPAN == next / HISTORY_SPAN
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Origin = Origin {
        system: 7,
        timeline: 1,
        database: 16384,
    };

    fn found() -> Found {
        Found {
            latest: Some((HERE, 1)),
            here: HERE,
            reserved: 1024,
            known: 900,
            next: None,
            foreign: 0,
        }
    }

    fn begun(found: &Found) -> (Cause, i64, i64) {
        match found.decide() {
            Decision::Begin {
                cause,
                reserved,
                first,
            } => (cause, reserved, first),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_store_begins_at_1() {
        let new = Found {
            latest: None,
            reserved: 0,
            known: 0,
            ..found()
        };
        assert_eq!(begun(&new), (Cause::New, 0, 1));
    }

    #[test]
    fn a_restart_goes_on_after_what_is_reserved() {
        assert_eq!(found().decide(), Decision::GoOn { next: 1025 });
        let running = Found {
            next: Some(950),
            ..found()
        };
        assert_eq!(running.decide(), Decision::GoOn { next: 950 });
    }

    #[test]
    fn another_place_begins_another_history_above_all_that_was_reserved() {
        for (here, cause) in [
            (
                Origin {
                    timeline: 2,
                    ..HERE
                },
                Cause::Timeline,
            ),
            (
                Origin {
                    database: 5,
                    ..HERE
                },
                Cause::Database,
            ),
            (Origin { system: 8, ..HERE }, Cause::Cluster),
        ] {
            let moved = Found { here, ..found() };
            assert_eq!(begun(&moved), (cause, 1024, HISTORY_SPAN));
        }
    }

    #[test]
    fn a_crash_between_the_row_and_the_sequence_begins_once_more() {
        let crashed = Found {
            latest: Some((HERE, HISTORY_SPAN)),
            ..found()
        };
        let expected = (Cause::Behind, HISTORY_SPAN, 2 * HISTORY_SPAN);
        assert_eq!(begun(&crashed), expected);
    }

    #[test]
    fn rows_that_came_by_sql_begin_another_history_once() {
        let came = Found {
            next: Some(901),
            foreign: 900,
            ..found()
        };
        assert_eq!(begun(&came), (Cause::Rows, 1024, HISTORY_SPAN));
        let after = Found {
            latest: Some((HERE, HISTORY_SPAN)),
            next: Some(HISTORY_SPAN + 1),
            ..came
        };
        assert_eq!(
            after.decide(),
            Decision::GoOn {
                next: HISTORY_SPAN + 1
            }
        );
    }

    #[test]
    fn a_sequence_that_is_behind_is_passed() {
        let behind = Found {
            known: 5000,
            ..found()
        };
        assert_eq!(begun(&behind), (Cause::Behind, 5000, HISTORY_SPAN));
    }

    #[test]
    fn there_is_an_end_of_positions() {
        let end = Found {
            known: i64::MAX - 1,
            ..found()
        };
        let exhausted = Decision::Exhausted {
            highest: i64::MAX - 1,
        };
        assert_eq!(end.decide(), exhausted);
    }

    #[test]
    fn the_ends_of_a_hole_belong_to_histories() {
        assert!(!is_between(1024, 1024, HISTORY_SPAN));
        assert!(is_between(1025, 1024, HISTORY_SPAN));
        assert!(is_between(HISTORY_SPAN - 1, 1024, HISTORY_SPAN));
        assert!(!is_between(HISTORY_SPAN, 1024, HISTORY_SPAN));
    }

    #[test]
    fn a_position_below_the_next_one_is_of_the_same_history_if_none_begins_between() {
        assert!(is_in_history_of(1, 2));
        assert!(is_in_history_of(HISTORY_SPAN, HISTORY_SPAN + 1));
        for (position, next) in [
            (0, 2),
            (2, 2),
            (3, 2),
            (HISTORY_SPAN - 1, HISTORY_SPAN + 1),
            (7, 2 * HISTORY_SPAN + 1),
        ] {
            assert!(!is_in_history_of(position, next), "{position}, {next}");
        }
    }
}
