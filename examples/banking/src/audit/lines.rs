//! Checks of the outcomes against the file.

use std::collections::{BTreeMap, HashSet};

use super::Evidence;
use crate::account_id::AccountId;
use crate::outcome::Reason;
use crate::text::count;

pub(super) fn one_outcome_per_line(evidence: &Evidence<'_>) -> Result<String, String> {
    let mut outcomes: BTreeMap<u32, usize> = BTreeMap::new();
    for outcome in evidence.outcomes {
        *outcomes.entry(outcome.line).or_default() += 1;
    }
    for line in evidence.lines {
        match outcomes.remove(&line.number) {
            Some(1) => {}
            Some(times) => return Err(format!("line {} has {times} outcomes", line.number)),
            None => return Err(format!("line {} has no outcome", line.number)),
        }
    }
    if let Some((line, _)) = outcomes.first_key_value() {
        return Err(format!("the file has no line {line} that has an outcome"));
    }
    let outcomes = evidence.outcomes;
    let accepted = outcomes.iter().filter(|one| one.is_accepted()).count();
    let rejected = outcomes.iter().filter(|one| !one.is_accepted()).count();
    Ok(format!(
        "{} + {} = {}",
        count(accepted),
        count(rejected),
        count(evidence.lines.len())
    ))
}

pub(super) fn malformed_rejected(evidence: &Evidence<'_>) -> Result<String, String> {
    let expected = evidence
        .lines
        .iter()
        .filter_map(|line| {
            let wrong = line.content.as_ref().err()?;
            Some((line.number, Reason::Malformed(*wrong)))
        })
        .collect();
    let is_malformed = |reason| matches!(reason, Reason::Malformed(_));
    same(expected, rejected(evidence, is_malformed))
}

pub(super) fn unknown_rejected(evidence: &Evidence<'_>) -> Result<String, String> {
    let known: HashSet<&AccountId> = evidence
        .openings
        .iter()
        .map(|opening| &opening.account)
        .collect();
    let expected = evidence
        .lines
        .iter()
        .filter(|line| {
            line.content.as_ref().is_ok_and(|transfer| {
                !known.contains(&transfer.from) || !known.contains(&transfer.to)
            })
        })
        .map(|line| (line.number, Reason::UnknownAccount))
        .collect();
    let is_unknown = |reason| reason == Reason::UnknownAccount;
    same(expected, rejected(evidence, is_unknown))
}

/// The lines that were rejected for such a reason.
fn rejected(evidence: &Evidence<'_>, such: impl Fn(Reason) -> bool) -> BTreeMap<u32, Reason> {
    evidence
        .outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.line, outcome.result.err()?)))
        .filter(|(_, reason)| such(*reason))
        .collect()
}

fn same(expected: BTreeMap<u32, Reason>, found: BTreeMap<u32, Reason>) -> Result<String, String> {
    for (line, reason) in &expected {
        if found.get(line) != Some(reason) {
            return Err(format!("line {line} should be rejected as {reason}"));
        }
    }
    for (line, reason) in &found {
        if !expected.contains_key(line) {
            return Err(format!("line {line} should not be rejected as {reason}"));
        }
    }
    Ok(count(expected.len()))
}
