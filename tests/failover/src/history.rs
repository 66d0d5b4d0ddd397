//! Checks the promises: compares the writers' acknowledgements and the readers' logs with the
//! history at the end.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use uuid::Uuid;

/// An event in the history at the end, which is in the order of positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) position: i64,
    pub(crate) id: Uuid,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) origin: Origin,
}

/// The append of an event, as its payload records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) writer: u32,
    /// The writer's own count of appends.
    pub(crate) append: u32,
    /// The index of this event in its append, from 0.
    pub(crate) index: u32,
    /// The number of events of the append.
    pub(crate) of: u32,
}

/// An append that a writer received an acknowledgement for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Each stream and its new version, as acknowledged.
    pub(crate) versions: Vec<(String, i64)>,
}

/// An event as a reader saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) position: i64,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
}

/// A reader's log. Events that SE011 took back are no longer in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) reader: String,
    pub(crate) seen: Vec<Seen>,
    /// Whether it had time to read everything; otherwise its log may end early.
    pub(crate) complete: bool,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    /// P6: an acknowledged event is not in the history.
    Lost { id: Uuid, told: i64 },
    /// P7: the same event exists more than once, or under two ids.
    Twice { origin: Origin, positions: Vec<i64> },
    /// P1: only some events of an append exist.
    Torn {
        writer: u32,
        append: u32,
        there: usize,
        of: u32,
    },
    /// An event has another position than its writer was told.
    Moved { id: Uuid, told: i64, found: i64 },
    /// A stream's version is not the one that its writer was told.
    Version {
        stream: String,
        told: i64,
        found: i64,
    },
    /// P3: a stream's versions are not 1, 2, 3, …, in the order of positions.
    Gap {
        stream: String,
        after: i64,
        found: i64,
    },
    /// P14, P15: a reader has an event that the history does not have at that position, and got no
    /// error.
    Diverged {
        reader: String,
        seen: Seen,
        history: Option<i64>,
    },
    /// P4: a reader passed an event without seeing it.
    Skipped { reader: String, position: i64 },
    /// P4: a reader saw an event after a later one, or twice.
    Disordered {
        reader: String,
        after: i64,
        position: i64,
    },
    /// P11: an event was delivered again after its acknowledgement counted.
    Again { position: i64 },
    /// Something that only its observer can describe.
    Other(String),
}

/// Compares all observations with the history at the end.
pub(crate) fn check(
    history: &[Event],
    acknowledged: &[Acknowledged],
    logs: &[Log],
) -> Vec<Violation> {
    let mut violations = check_streams(history);
    violations.extend(check_appends(history));
    violations.extend(check_acknowledged(history, acknowledged));
    for log in logs {
        violations.extend(check_log(history, log));
    }
    violations
}

fn check_streams(history: &[Event]) -> Vec<Violation> {
    let mut versions: HashMap<&str, i64> = HashMap::new();
    let mut violations = Vec::new();
    for event in history {
        let version = versions.entry(&event.stream).or_default();
        if event.version != *version + 1 {
            violations.push(Violation::Gap {
                stream: event.stream.clone(),
                after: *version,
                found: event.version,
            });
        }
        *version = event.version;
    }
    violations
}

fn check_appends(history: &[Event]) -> Vec<Violation> {
    let mut places: BTreeMap<Origin, Vec<i64>> = BTreeMap::new();
    for event in history {
        places.entry(event.origin).or_default().push(event.position);
    }
    let twice = places.iter().filter(|(_, positions)| positions.len() > 1);
    let mut violations: Vec<Violation> = twice
        .map(|(origin, positions)| Violation::Twice {
            origin: *origin,
            positions: positions.clone(),
        })
        .collect();
    let mut appends: BTreeMap<(u32, u32), (usize, u32)> = BTreeMap::new();
    for origin in places.keys() {
        let append = appends.entry((origin.writer, origin.append)).or_default();
        *append = (append.0 + 1, origin.of);
    }
    let torn = appends
        .into_iter()
        .filter(|(_, (there, of))| *there != *of as usize);
    violations.extend(torn.map(|((writer, append), (there, of))| Violation::Torn {
        writer,
        append,
        there,
        of,
    }));
    violations
}

fn check_acknowledged(history: &[Event], acknowledged: &[Acknowledged]) -> Vec<Violation> {
    let by_id: HashMap<Uuid, &Event> = history.iter().map(|event| (event.id, event)).collect();
    let mut violations = Vec::new();
    for append in acknowledged {
        let ends = [(0, append.first), (append.ids.len() - 1, append.last)];
        for (index, id) in append.ids.iter().enumerate() {
            let told = ends
                .iter()
                .find(|(end, _)| *end == index)
                .map(|(_, told)| *told);
            match (by_id.get(id), told) {
                (None, _) => violations.push(Violation::Lost {
                    id: *id,
                    told: append.first,
                }),
                (Some(event), Some(told)) if event.position != told => {
                    violations.push(Violation::Moved {
                        id: *id,
                        told,
                        found: event.position,
                    })
                }
                _ => {}
            }
        }
        for (stream, told) in &append.versions {
            let of_stream = append
                .ids
                .iter()
                .filter_map(|id| by_id.get(id))
                .filter(|event| event.stream == *stream);
            if let Some(found) = of_stream.map(|event| event.version).max()
                && found != *told
            {
                violations.push(Violation::Version {
                    stream: stream.clone(),
                    told: *told,
                    found,
                });
            }
        }
    }
    violations
}

/// A log must be a prefix of the history, and all of it if the reader had the time.
fn check_log(history: &[Event], log: &Log) -> Vec<Violation> {
    let reader = || log.reader.clone();
    let mut violations = Vec::new();
    for pair in log.seen.windows(2) {
        if pair[1].position <= pair[0].position {
            violations.push(Violation::Disordered {
                reader: reader(),
                after: pair[0].position,
                position: pair[1].position,
            });
        }
    }
    let seen: HashMap<i64, &Seen> = log.seen.iter().map(|seen| (seen.position, seen)).collect();
    let there: HashMap<i64, &Event> = history
        .iter()
        .map(|event| (event.position, event))
        .collect();
    for seen in &log.seen {
        let event = there.get(&seen.position);
        if event.is_none_or(|event| (event.id, event.version) != (seen.id, seen.version)) {
            violations.push(Violation::Diverged {
                reader: reader(),
                seen: seen.clone(),
                history: event.map(|event| event.position),
            });
        }
    }
    let end = if log.complete {
        i64::MAX
    } else {
        log.seen.last().map_or(0, |seen| seen.position)
    };
    let due = history.iter().take_while(|event| event.position <= end);
    violations.extend(
        due.filter(|event| !seen.contains_key(&event.position))
            .map(|event| Violation::Skipped {
                reader: reader(),
                position: event.position,
            }),
    );
    violations
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { id, told } => {
                write!(f, "lost: event {id}, acknowledged at about position {told}")
            }
            Self::Twice { origin, positions } => {
                write!(f, "twice: {origin:?} is at positions {positions:?}")
            }
            Self::Torn {
                writer,
                append,
                there,
                of,
            } => {
                write!(
                    f,
                    "torn: append {append} of writer {writer} has {there} of {of} events"
                )
            }
            Self::Moved { id, told, found } => {
                write!(
                    f,
                    "moved: event {id} is at {found}, and its writer was told {told}"
                )
            }
            Self::Version {
                stream,
                told,
                found,
            } => {
                write!(
                    f,
                    "version: {stream} got version {found}, and the writer was told {told}"
                )
            }
            Self::Gap {
                stream,
                after,
                found,
            } => {
                write!(
                    f,
                    "gap: version {found} of {stream} follows version {after}"
                )
            }
            Self::Diverged {
                reader,
                seen,
                history,
            } => write!(
                f,
                "diverged: {reader} saw event {} at {}, and {}",
                seen.id,
                seen.position,
                if history.is_some() {
                    "another is there"
                } else {
                    "nothing is there"
                }
            ),
            Self::Skipped { reader, position } => {
                write!(f, "skipped: {reader} went past the event at {position}")
            }
            Self::Disordered {
                reader,
                after,
                position,
            } => {
                write!(f, "disordered: {reader} saw {position} after {after}")
            }
            Self::Again { position } => {
                write!(f, "again: {position} came after its acknowledgement")
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    /// Append `append` of writer 1 with one event, at position 10 times `n`.
    fn event(n: u8, stream: &str, version: i64) -> Event {
        Event {
            position: i64::from(n) * 10,
            id: id(n.into()),
            stream: stream.to_owned(),
            version,
            origin: Origin {
                writer: 1,
                append: n.into(),
                index: 0,
                of: 1,
            },
        }
    }

    fn history() -> Vec<Event> {
        vec![event(1, "a", 1), event(2, "b", 1), event(3, "a", 2)]
    }

    fn told(event: &Event) -> Acknowledged {
        Acknowledged {
            ids: vec![event.id],
            first: event.position,
            last: event.position,
            versions: vec![(event.stream.clone(), event.version)],
        }
    }

    fn log(events: &[Event], complete: bool) -> Log {
        Log {
            reader: "r".to_owned(),
            seen: events
                .iter()
                .map(|event| Seen {
                    position: event.position,
                    id: event.id,
                    version: event.version,
                })
                .collect(),
            complete,
        }
    }

    #[test]
    fn a_history_that_keeps_every_promise_passes() {
        let history = history();
        let acknowledged: Vec<_> = history.iter().map(told).collect();
        let logs = [
            log(&history, true),
            log(&history[..2], false),
            log(&[], false),
        ];
        assert_eq!(check(&history, &acknowledged, &logs), []);
    }

    #[test]
    fn an_acknowledged_event_that_is_gone_is_lost() {
        let history = history();
        let acknowledged = [told(&event(4, "b", 2))];
        let lost = Violation::Lost {
            id: id(4),
            told: 40,
        };
        assert_eq!(check(&history, &acknowledged, &[]), [lost]);
    }

    #[test]
    fn an_event_at_another_position_than_acknowledged_has_moved() {
        let (history, mut of_b) = (history(), told(&event(2, "b", 1)));
        (of_b.first, of_b.last) = (21, 21);
        of_b.versions[0].1 = 7;
        let moved = |told| Violation::Moved {
            id: id(2),
            told,
            found: 20,
        };
        let version = Violation::Version {
            stream: "b".to_owned(),
            told: 7,
            found: 1,
        };
        assert_eq!(check(&history, &[of_b], &[]), [moved(21), version]);
    }

    #[test]
    fn an_append_that_was_done_again_under_other_ids_is_there_twice() {
        let mut history = history();
        history[2].origin = history[0].origin;
        let twice = Violation::Twice {
            origin: history[0].origin,
            positions: vec![10, 30],
        };
        assert_eq!(check(&history, &[], &[]), [twice]);
    }

    #[test]
    fn an_append_of_which_half_is_there_is_torn() {
        let mut history = history();
        history[1].origin.of = 2;
        let torn = Violation::Torn {
            writer: 1,
            append: 2,
            there: 1,
            of: 2,
        };
        assert_eq!(check(&history, &[], &[]), [torn]);
    }

    #[test]
    fn versions_with_a_gap_are_found() {
        let mut history = history();
        history[2].version = 3;
        let gap = Violation::Gap {
            stream: "a".to_owned(),
            after: 1,
            found: 3,
        };
        assert_eq!(check(&history, &[], &[]), [gap]);
    }

    #[test]
    fn a_reader_of_what_never_was_has_diverged() {
        let history = history();
        let mut of_another = history.clone();
        of_another[2].id = id(9);
        of_another.push(event(4, "b", 2));
        let log = log(&of_another, true);
        let diverged = |index: usize, history| Violation::Diverged {
            reader: "r".to_owned(),
            seen: log.seen[index].clone(),
            history,
        };
        let expected = [diverged(2, Some(30)), diverged(3, None)];
        assert_eq!(check(&history, &[], std::slice::from_ref(&log)), expected);
    }

    #[test]
    fn a_reader_that_went_past_an_event_has_skipped_it() {
        let history = history();
        let skipped = |position| Violation::Skipped {
            reader: "r".to_owned(),
            position,
        };
        let of_two = [history[0].clone(), history[2].clone()];
        assert_eq!(check(&history, &[], &[log(&of_two, false)]), [skipped(20)]);
        assert_eq!(check(&history, &[], &[log(&history[..1], false)]), []);
        let of_one = log(&history[..1], true);
        assert_eq!(check(&history, &[], &[of_one]), [skipped(20), skipped(30)]);
    }

    #[test]
    fn a_reader_that_saw_an_event_again_is_found() {
        let history = history();
        let again = [history[0].clone(), history[0].clone(), history[1].clone()];
        let disordered = Violation::Disordered {
            reader: "r".to_owned(),
            after: 10,
            position: 10,
        };
        assert_eq!(check(&history, &[], &[log(&again, false)]), [disordered]);
    }
}
