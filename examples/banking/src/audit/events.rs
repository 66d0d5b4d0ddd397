//! Checks of what the subscriber saw.

use std::collections::{HashMap, HashSet};

use eventcore::{EventId, StreamId};

use super::Evidence;
use crate::history::Entry;
use crate::text::{count, grouped};

pub(super) fn each_once(evidence: &Evidence<'_>) -> Result<String, String> {
    let mut ids: HashSet<EventId> = HashSet::new();
    match evidence.seen.iter().find(|entry| !ids.insert(entry.id)) {
        None => Ok(events(evidence.seen)),
        Some(twice) => Err(format!("{} came twice", name(twice))),
    }
}

/// Every event of the streams and no other: the same content at the same position.
pub(super) fn nothing_missed(evidence: &Evidence<'_>) -> Result<String, String> {
    let by_id = |entries: &'_ [Entry]| -> HashMap<EventId, Entry> {
        entries
            .iter()
            .map(|entry| (entry.id, entry.clone()))
            .collect()
    };
    let (seen, stored) = (by_id(evidence.seen), by_id(evidence.stored));
    for entry in evidence.stored {
        match seen.get(&entry.id) {
            Some(seen) if seen == entry => {}
            Some(_) => return Err(format!("{} came with other content", name(entry))),
            None => return Err(format!("{} did not come", name(entry))),
        }
    }
    if let Some(entry) = evidence
        .seen
        .iter()
        .find(|entry| !stored.contains_key(&entry.id))
    {
        return Err(format!("{} came and is in no stream", name(entry)));
    }
    let accepted = evidence
        .outcomes
        .iter()
        .filter(|outcome| outcome.is_accepted())
        .count();
    let expected = evidence.openings.len() + 2 * accepted;
    if evidence.stored.len() != expected {
        return Err(format!(
            "there are {}, and there should be {}",
            events(evidence.stored),
            count(expected)
        ));
    }
    Ok(format!(
        "{} + 2 × {}",
        count(evidence.openings.len()),
        count(accepted)
    ))
}

pub(super) fn positions_rise(evidence: &Evidence<'_>) -> Result<String, String> {
    let mut last = None;
    for entry in evidence.seen {
        if last >= Some(entry.position) {
            return Err(format!("{} came too late", name(entry)));
        }
        last = Some(entry.position);
    }
    match (evidence.seen.first(), last) {
        (Some(first), Some(last)) => Ok(format!(
            "{} to {}",
            grouped(first.position.get()),
            grouped(last.get())
        )),
        _ => Err("no event came".to_owned()),
    }
}

pub(super) fn versions_gapless(evidence: &Evidence<'_>) -> Result<String, String> {
    let mut versions: HashMap<&StreamId, u64> = HashMap::new();
    for entry in evidence.seen {
        let version = versions.entry(&entry.stream).or_default();
        if entry.version.get() != *version + 1 {
            return Err(format!("{} came after version {version}", name(entry)));
        }
        *version += 1;
    }
    Ok(format!("{} streams", count(versions.len())))
}

fn events(entries: &[Entry]) -> String {
    format!("{} events", count(entries.len()))
}

fn name(entry: &Entry) -> String {
    format!(
        "version {} of {} at position {}",
        entry.version, entry.stream, entry.position
    )
}
