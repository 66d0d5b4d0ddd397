//! Each violation is found. Every test takes an honest run and spoils one thing.

use eventcore::{EventId, Position, StreamField, StreamVersion};

use super::*;
use crate::account_event::AccountEvent;
use crate::account_id::AccountId;
use crate::money::Money;
use crate::outcome::{Accepted, Reason};
use crate::transfer_file::{Malformed, parse};

/// A correct run: three accounts, a valid transfer, a malformed one, one to an unknown account, an
/// overdraft, and another valid one.
#[derive(Clone)]
struct Run {
    openings: Vec<Opening>,
    lines: Vec<Line>,
    outcomes: Vec<Outcome>,
    seen: Vec<Entry>,
    stored: Vec<Entry>,
}

impl Run {
    fn honest() -> Self {
        let openings = ["001", "002", "003"].map(|number| Opening {
            account: account(number),
            cents: Money::cents(1_000),
        });
        let lines = parse(
            "from,to,cents\n001,002,400\n001,002,-4\n001,999,4\n003,001,1001\n002,003,1400\n",
        )
        .unwrap();
        let accepted = |position| Ok(Accepted { position });
        let results = [
            accepted(Position::new(5)),
            Err(Reason::Malformed(Malformed::Negative)),
            Err(Reason::UnknownAccount),
            Err(Reason::Overdraft),
            accepted(Position::new(8)),
        ];
        let outcomes = lines
            .iter()
            .zip(results)
            .map(|(line, result)| Outcome {
                line: line.number,
                result,
                work: None,
            })
            .collect();
        let opened = AccountEvent::AccountOpened {
            cents: Money::cents(1_000),
        };
        // With a gap between positions, as after a rollback.
        let seen = vec![
            entry(1, "001", 1, opened.clone()),
            entry(2, "002", 1, opened.clone()),
            entry(3, "003", 1, opened),
            entry(4, "001", 2, withdrawn(2, "002", 400)),
            entry(5, "002", 2, deposited(2, "001", 400)),
            entry(7, "002", 3, withdrawn(6, "003", 1_400)),
            entry(8, "003", 2, deposited(6, "002", 1_400)),
        ];
        let mut stored = seen.clone();
        stored.sort_by_key(|entry| (entry.stream.clone(), entry.version));
        Self {
            openings: openings.into(),
            lines,
            outcomes,
            seen,
            stored,
        }
    }

    fn violated(&self) -> Vec<Invariant> {
        audit(&Evidence {
            openings: &self.openings,
            lines: &self.lines,
            outcomes: &self.outcomes,
            seen: &self.seen,
            stored: &self.stored,
        })
        .violated()
    }

    /// Changes the event at this position, both as seen and as stored.
    fn change(&mut self, position: u64, change: impl Fn(&mut Entry)) {
        for entry in self.seen.iter_mut().chain(&mut self.stored) {
            if entry.position.get() == position {
                change(entry);
            }
        }
    }
}

fn account(number: &str) -> AccountId {
    AccountId::new(number).unwrap()
}

fn entry(position: u64, number: &str, version: u64, event: AccountEvent) -> Entry {
    Entry {
        position: Position::new(position),
        stream: account(number).stream_id().clone(),
        version: StreamVersion::new(version),
        id: EventId::new(),
        event,
    }
}

fn withdrawn(transfer: u32, to: &str, cents: i64) -> AccountEvent {
    AccountEvent::MoneyWithdrawn {
        transfer,
        to: account(to),
        cents: Money::cents(cents),
    }
}

fn deposited(transfer: u32, from: &str, cents: i64) -> AccountEvent {
    AccountEvent::MoneyDeposited {
        transfer,
        from: account(from),
        cents: Money::cents(cents),
    }
}

#[test]
fn an_honest_run_violates_nothing() {
    assert_eq!(Run::honest().violated(), []);
}

#[test]
fn a_lost_cent_is_found() {
    let mut run = Run::honest();
    run.change(5, |entry| entry.event = deposited(2, "001", 399));
    let violated = run.violated();
    assert!(violated.contains(&Invariant::MoneyConserved));
    assert!(violated.contains(&Invariant::TransfersWhole));
}

#[test]
fn a_cent_lost_in_the_opening_is_found() {
    let mut run = Run::honest();
    run.change(1, |entry| {
        entry.event = AccountEvent::AccountOpened {
            cents: Money::cents(999),
        };
    });
    assert_eq!(run.violated(), [Invariant::MoneyConserved]);
}

#[test]
fn an_account_below_zero_is_found_even_if_it_recovers() {
    let mut run = Run::honest();
    // The withdrawal of 1,400 comes before the deposit of 400.
    run.change(5, |entry| entry.event = withdrawn(6, "003", 1_400));
    run.change(7, |entry| entry.event = deposited(2, "001", 400));
    assert_eq!(run.violated(), [Invariant::NeverBelowZero]);
}

#[test]
fn an_event_seen_twice_is_found() {
    let mut run = Run::honest();
    run.seen.push(run.seen[6].clone());
    assert!(run.violated().contains(&Invariant::EachEventOnce));
}

#[test]
fn an_event_seen_out_of_order_is_found() {
    let mut run = Run::honest();
    // Different streams, so that nothing but the order of positions is wrong.
    run.seen.swap(0, 1);
    assert_eq!(run.violated(), [Invariant::PositionsRise]);
}

#[test]
fn a_position_given_twice_is_found() {
    let mut run = Run::honest();
    run.change(8, |entry| entry.position = Position::new(7));
    assert_eq!(run.violated(), [Invariant::PositionsRise]);
}

#[test]
fn a_gap_in_a_stream_is_found() {
    let mut run = Run::honest();
    run.change(8, |entry| entry.version = StreamVersion::new(3));
    assert_eq!(run.violated(), [Invariant::VersionsGapless]);
}

#[test]
fn an_event_that_the_subscriber_missed_is_found() {
    let mut run = Run::honest();
    run.seen.pop();
    let violated = run.violated();
    assert_eq!(
        violated,
        [Invariant::NothingMissed, Invariant::BalancesAgree]
    );
}

#[test]
fn an_event_that_only_the_subscriber_saw_is_found() {
    let mut run = Run::honest();
    run.stored.retain(|entry| entry.position.get() != 8);
    let violated = run.violated();
    assert!(violated.contains(&Invariant::NothingMissed));
    assert!(violated.contains(&Invariant::MoneyConserved));
}

#[test]
fn an_event_seen_with_other_content_is_found() {
    let mut run = Run::honest();
    run.seen[6].event = deposited(6, "002", 1_399);
    let violated = run.violated();
    assert_eq!(
        violated,
        [Invariant::NothingMissed, Invariant::BalancesAgree]
    );
}

#[test]
fn half_a_transfer_is_found() {
    let mut run = Run::honest();
    run.seen.retain(|entry| entry.position.get() != 8);
    run.stored.retain(|entry| entry.position.get() != 8);
    let violated = run.violated();
    assert!(violated.contains(&Invariant::TransfersWhole));
    assert!(violated.contains(&Invariant::NothingMissed));
}

#[test]
fn events_of_a_rejected_transfer_are_found() {
    let mut run = Run::honest();
    run.outcomes[4].result = Err(Reason::Overdraft);
    let violated = run.violated();
    assert_eq!(
        violated,
        [Invariant::TransfersWhole, Invariant::NothingMissed]
    );
}

#[test]
fn a_transfer_between_other_accounts_than_the_files_is_found() {
    let mut run = Run::honest();
    run.lines[0] = parse("from,to,cents\n001,003,400").unwrap().remove(0);
    assert_eq!(run.violated(), [Invariant::TransfersWhole]);
}

#[test]
fn an_account_opened_twice_is_found() {
    let mut run = Run::honest();
    run.change(8, |entry| {
        entry.event = AccountEvent::AccountOpened {
            cents: Money::cents(1_400),
        };
    });
    assert_eq!(run.violated(), [Invariant::TransfersWhole]);
}

#[test]
fn a_line_without_outcome_is_found() {
    let mut run = Run::honest();
    run.outcomes.remove(3);
    assert_eq!(run.violated(), [Invariant::OneOutcomePerLine]);
}

#[test]
fn a_line_with_two_outcomes_is_found() {
    let mut run = Run::honest();
    run.outcomes.push(run.outcomes[3].clone());
    assert_eq!(run.violated(), [Invariant::OneOutcomePerLine]);
}

#[test]
fn an_outcome_of_no_line_is_found() {
    let mut run = Run::honest();
    run.outcomes.push(Outcome {
        line: 77,
        result: Err(Reason::Overdraft),
        work: None,
    });
    assert_eq!(run.violated(), [Invariant::OneOutcomePerLine]);
}

#[test]
fn a_malformed_line_rejected_for_another_reason_is_found() {
    let mut run = Run::honest();
    run.outcomes[1].result = Err(Reason::Malformed(Malformed::Zero));
    assert_eq!(run.violated(), [Invariant::MalformedRejected]);
}

#[test]
fn a_good_line_rejected_as_malformed_is_found() {
    let mut run = Run::honest();
    run.outcomes[3].result = Err(Reason::Malformed(Malformed::Zero));
    assert_eq!(run.violated(), [Invariant::MalformedRejected]);
}

#[test]
fn an_unknown_account_rejected_for_another_reason_is_found() {
    let mut run = Run::honest();
    run.outcomes[2].result = Err(Reason::Overdraft);
    assert_eq!(run.violated(), [Invariant::UnknownRejected]);
}

#[test]
fn a_known_account_rejected_as_unknown_is_found() {
    let mut run = Run::honest();
    run.outcomes[3].result = Err(Reason::UnknownAccount);
    assert_eq!(run.violated(), [Invariant::UnknownRejected]);
}

#[test]
fn a_run_without_events_is_found() {
    let mut run = Run::honest();
    run.seen.clear();
    run.stored.clear();
    let violated = run.violated();
    assert!(violated.contains(&Invariant::NeverBelowZero));
    assert!(violated.contains(&Invariant::PositionsRise));
    assert!(violated.contains(&Invariant::BalancesAgree));
}
