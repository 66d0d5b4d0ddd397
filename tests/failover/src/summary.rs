//! The table at the end.

use std::fmt::Write;

use crate::faults::Report;
use crate::history::Violation;
use crate::load::Outcome;

/// More of one kind would say nothing new.
const SHOWN: usize = 20;

/// What a person wants to know about a run.
pub(crate) fn text(outcome: &Outcome, report: &Report, violations: &[Violation]) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<42} {value:>10}");
    };
    row(
        "acknowledged appends",
        outcome.acknowledged.len().to_string(),
    );
    row("events in the history", outcome.history.len().to_string());
    let counts = outcome.counts;
    row(
        "answers to repeats of what was done",
        counts.repeated.to_string(),
    );
    row(
        "commits without the standbys' word",
        counts.unconfirmed.to_string(),
    );
    row("conflicts", counts.conflicts.to_string());
    row(
        "conflicts with a primary of the past",
        counts.stale.to_string(),
    );
    row("errors of writers", counts.errors.to_string());
    for (kind, times) in &report.by_kind {
        row(&format!("fault: {kind}"), times.to_string());
    }
    row("fail-overs", report.failovers.to_string());
    let pause = outcome.longest_pause.as_secs_f64();
    row(
        "longest time without an acknowledgement",
        format!("{pause:.1} s"),
    );
    let healing = report.longest_healing.as_secs_f64();
    row(
        "longest time until all streamed again",
        format!("{healing:.1} s"),
    );
    row(
        "readers told of another history (SE011)",
        outcome.told.len().to_string(),
    );
    row("violations", violations.len().to_string());
    for told in &outcome.told {
        let _ = writeln!(
            text,
            "SE011: {} was at {} and went back to {}: {} events forgotten",
            told.reader, told.after, told.agreed, told.forgotten
        );
    }
    for violation in violations.iter().take(SHOWN) {
        let _ = writeln!(text, "VIOLATION {violation}");
    }
    if violations.len() > SHOWN {
        let _ = writeln!(text, "… and {} more", violations.len() - SHOWN);
    }
    text
}
