//! The audit: whether a run kept its promises. It compares the file, the reports of the workers,
//! the events that the subscriber saw, and the streams at the end.

mod accounts;
mod events;
mod lines;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::history::Entry;
use crate::openings::Opening;
use crate::outcome::Outcome;
use crate::transfer_file::Line;

/// Everything that is known after a run.
#[derive(Debug, Clone)]
pub(crate) struct Evidence<'a> {
    /// The accounts that should exist.
    pub(crate) openings: &'a [Opening],
    /// The file.
    pub(crate) lines: &'a [Line],
    /// The outcomes that the workers report.
    pub(crate) outcomes: &'a [Outcome],
    /// The events that the subscriber saw, in that order.
    pub(crate) seen: &'a [Entry],
    /// The streams at the end, one after the other, each from its first event.
    pub(crate) stored: &'a [Entry],
}

/// What must hold after every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invariant {
    OneOutcomePerLine,
    MalformedRejected,
    UnknownRejected,
    TransfersWhole,
    MoneyConserved,
    NeverBelowZero,
    EachEventOnce,
    NothingMissed,
    PositionsRise,
    VersionsGapless,
    BalancesAgree,
}

/// An invariant with its finding: how it holds, or how it is violated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub(crate) invariant: Invariant,
    pub(crate) found: Result<String, String>,
}

/// What was found for each invariant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<Finding>,
}

/// A check: `Ok` with figures, or `Err` with what is wrong.
type Check = fn(&Evidence<'_>) -> Result<String, String>;

/// Every invariant with its check, in the order of the report.
const CHECKS: [(Invariant, Check); 11] = [
    (Invariant::OneOutcomePerLine, lines::one_outcome_per_line),
    (Invariant::MalformedRejected, lines::malformed_rejected),
    (Invariant::UnknownRejected, lines::unknown_rejected),
    (Invariant::TransfersWhole, accounts::transfers_whole),
    (Invariant::MoneyConserved, accounts::money_conserved),
    (Invariant::NeverBelowZero, accounts::never_below_zero),
    (Invariant::EachEventOnce, events::each_once),
    (Invariant::NothingMissed, events::nothing_missed),
    (Invariant::PositionsRise, events::positions_rise),
    (Invariant::VersionsGapless, events::versions_gapless),
    (Invariant::BalancesAgree, accounts::balances_agree),
];

/// Checks every invariant.
pub(crate) fn audit(evidence: &Evidence<'_>) -> Verdict {
    let findings = CHECKS
        .iter()
        .map(|(invariant, check)| Finding {
            invariant: *invariant,
            found: check(evidence),
        })
        .collect();
    Verdict { findings }
}

impl Verdict {
    /// The violated invariants.
    pub(crate) fn violated(&self) -> Vec<Invariant> {
        self.findings
            .iter()
            .filter(|finding| finding.found.is_err())
            .map(|finding| finding.invariant)
            .collect()
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OneOutcomePerLine => "every line is accepted or rejected, once",
            Self::MalformedRejected => "every malformed line is rejected, no other as such",
            Self::UnknownRejected => "every unknown account is rejected, no other as such",
            Self::TransfersWhole => "accepted: one withdrawal, one deposit; rejected: nothing",
            Self::MoneyConserved => "the total is conserved to the cent",
            Self::NeverBelowZero => "no account is ever below zero",
            Self::EachEventOnce => "the subscriber saw no event twice",
            Self::NothingMissed => "the subscriber saw every event",
            Self::PositionsRise => "the subscriber saw events in order of position",
            Self::VersionsGapless => "the subscriber saw each stream without a gap",
            Self::BalancesAgree => "the subscriber's balances are those of the streams",
        })
    }
}
