//! P11 as a function of two logs: what a consumer of a durable subscription received and
//! acknowledged, and what a projection inside the server wrote.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use crate::history::{Event, Seen, Violation};

const CONSUMER: &str = "consumer";
const PROJECTION: &str = "projection";

/// The consumer's log, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It received an event.
    Given(Seen),
    /// Its acknowledgement of this event succeeded.
    Acknowledged(i64),
}

/// Every event was delivered at least once, in the order of its stream, and never after it was
/// acknowledged.
pub(crate) fn check_consumer(history: &[Event], steps: &[Step]) -> Vec<Violation> {
    let there: HashMap<Uuid, &Event> = history.iter().map(|event| (event.id, event)).collect();
    let (mut given, mut acknowledged) = (HashSet::new(), HashSet::new());
    let mut versions: HashMap<&str, i64> = HashMap::new();
    let mut violations = Vec::new();
    for step in steps {
        let seen = match step {
            Step::Acknowledged(position) => {
                acknowledged.insert(*position);
                continue;
            }
            Step::Given(seen) => seen,
        };
        let Some(event) = there
            .get(&seen.id)
            .filter(|event| event.position == seen.position)
        else {
            violations.push(Violation::Diverged {
                reader: CONSUMER.to_owned(),
                seen: seen.clone(),
                history: there.get(&seen.id).map(|event| event.position),
            });
            continue;
        };
        if acknowledged.contains(&seen.position) {
            violations.push(Violation::Again {
                position: seen.position,
            });
        }
        if given.insert(seen.position) {
            let last = versions.entry(&event.stream).or_default();
            if event.version != *last + 1 {
                violations.push(Violation::Disordered {
                    reader: format!("{CONSUMER}, of {}, by version", event.stream),
                    after: *last,
                    position: event.version,
                });
            }
            *last = event.version;
        }
    }
    let missing = history
        .iter()
        .filter(|event| !given.contains(&event.position));
    violations.extend(missing.map(|event| Violation::Skipped {
        reader: CONSUMER.to_owned(),
        position: event.position,
    }));
    violations
}

/// The projection has handled exactly the events of the history. The key of its table makes sure
/// that it handled none twice.
pub(crate) fn check_projection(history: &[Event], written: &BTreeSet<i64>) -> Vec<Violation> {
    let there: BTreeSet<i64> = history.iter().map(|event| event.position).collect();
    let mut violations: Vec<Violation> = there
        .difference(written)
        .map(|position| Violation::Skipped {
            reader: PROJECTION.to_owned(),
            position: *position,
        })
        .collect();
    violations.extend(written.difference(&there).map(|position| {
        Violation::Other(format!(
            "diverged: the {PROJECTION} has {position}, and nothing is there"
        ))
    }));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Origin;

    fn event(n: u8, stream: &str, version: i64) -> Event {
        Event {
            position: n.into(),
            id: Uuid::from_u128(n.into()),
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

    fn given(event: &Event) -> Step {
        Step::Given(Seen {
            position: event.position,
            id: event.id,
            version: event.version,
        })
    }

    #[test]
    fn streams_may_come_in_any_order_and_again_until_they_are_acknowledged() {
        let history = history();
        let [one, two, three] = [0, 1, 2].map(|index: usize| given(&history[index]));
        let steps = [
            two.clone(),
            one.clone(),
            one,
            two,
            Step::Acknowledged(1),
            three,
            Step::Acknowledged(3),
        ];
        assert_eq!(check_consumer(&history, &steps), []);
    }

    #[test]
    fn an_event_that_comes_after_its_acknowledgement_comes_again() {
        let history = history();
        let mut steps: Vec<Step> = history.iter().map(given).collect();
        steps.extend([Step::Acknowledged(2), given(&history[1])]);
        assert_eq!(
            check_consumer(&history, &steps),
            [Violation::Again { position: 2 }]
        );
    }

    #[test]
    fn a_stream_out_of_order_and_an_event_that_never_came_are_found() {
        let history = history();
        let disordered = Violation::Disordered {
            reader: "consumer, of a, by version".to_owned(),
            after: 0,
            position: 2,
        };
        let skipped = |position| Violation::Skipped {
            reader: CONSUMER.to_owned(),
            position,
        };
        let found = check_consumer(&history, &[given(&history[2])]);
        assert_eq!(found, [disordered, skipped(1), skipped(2)]);
    }

    #[test]
    fn an_event_that_is_not_in_the_history_has_diverged() {
        let (history, other) = (history(), event(9, "a", 3));
        let mut steps: Vec<Step> = history.iter().map(given).collect();
        steps.push(given(&other));
        assert!(matches!(
            check_consumer(&history, &steps)[..],
            [Violation::Diverged { .. }]
        ));
    }

    #[test]
    fn a_projection_has_all_events_and_no_other() {
        let history = history();
        assert_eq!(check_projection(&history, &BTreeSet::from([1, 2, 3])), []);
        assert_eq!(
            check_projection(&history, &BTreeSet::from([1, 2, 4])).len(),
            2
        );
    }
}
