//! Checks of the money.

use std::collections::BTreeMap;

use eventcore::{StreamField, StreamId};

use super::Evidence;
use crate::account_event::AccountEvent;
use crate::history::Entry;
use crate::ledger::Ledger;
use crate::money::Money;
use crate::text::count;

pub(super) fn transfers_whole(evidence: &Evidence<'_>) -> Result<String, String> {
    let mut effects = effects(evidence.stored)?;
    let outcomes: BTreeMap<u32, bool> = evidence
        .outcomes
        .iter()
        .map(|outcome| (outcome.line, outcome.is_accepted()))
        .collect();
    let mut whole = 0;
    for line in evidence.lines {
        let Ok(transfer) = &line.content else {
            continue;
        };
        if outcomes.get(&line.number) != Some(&true) {
            continue;
        }
        let expected = Effect {
            withdrawn: vec![(transfer.from.stream_id().clone(), transfer.cents)],
            deposited: vec![(transfer.to.stream_id().clone(), transfer.cents)],
        };
        match effects.remove(&line.number) {
            Some(effect) if effect == expected => whole += 1,
            Some(_) => {
                return Err(format!(
                    "the events of line {} are not its own",
                    line.number
                ));
            }
            None => return Err(format!("line {} was accepted without events", line.number)),
        }
    }
    match effects.first_key_value() {
        None => Ok(count(whole)),
        Some((line, _)) => Err(format!("line {line} was not accepted and has events")),
    }
}

pub(super) fn money_conserved(evidence: &Evidence<'_>) -> Result<String, String> {
    let before: Money = evidence.openings.iter().map(|opening| opening.cents).sum();
    let after = Ledger::of(evidence.stored).total();
    if before == after {
        Ok(format!("{before} = {after}"))
    } else {
        Err(format!(
            "{before} at the start, {after} at the end: {} off",
            after + -before
        ))
    }
}

pub(super) fn never_below_zero(evidence: &Evidence<'_>) -> Result<String, String> {
    let ledger = Ledger::of(evidence.stored);
    match ledger.lowest() {
        None => Err("there are no accounts".to_owned()),
        Some((stream, lowest)) if lowest.is_negative() => {
            Err(format!("{stream} was once at {lowest}"))
        }
        Some((_, lowest)) => Ok(format!("lowest {lowest}")),
    }
}

pub(super) fn balances_agree(evidence: &Evidence<'_>) -> Result<String, String> {
    let seen = Ledger::of(evidence.seen);
    let stored = Ledger::of(evidence.stored);
    for opening in evidence.openings {
        let stream = opening.account.stream_id();
        match (seen.balance(stream), stored.balance(stream)) {
            (Some(seen), Some(stored)) if seen == stored => {}
            (seen, stored) => {
                return Err(format!(
                    "{stream}: {} as seen, {} in its stream",
                    shown(seen),
                    shown(stored)
                ));
            }
        }
    }
    Ok(format!("{} accounts", count(evidence.openings.len())))
}

/// What a transfer did to accounts.
#[derive(Debug, Default, PartialEq)]
struct Effect {
    withdrawn: Vec<(StreamId, Money)>,
    deposited: Vec<(StreamId, Money)>,
}

/// What each transfer did, by its line; an error when an account was not opened exactly once, by
/// its first event.
fn effects(stored: &[Entry]) -> Result<BTreeMap<u32, Effect>, String> {
    let mut effects: BTreeMap<u32, Effect> = BTreeMap::new();
    for Entry {
        stream,
        version,
        event,
        ..
    } in stored
    {
        let opens = matches!(event, AccountEvent::AccountOpened { .. });
        if opens != (version.get() == 1) {
            return Err(format!("{stream} was not opened by its first event alone"));
        }
        match event {
            AccountEvent::AccountOpened { .. } => {}
            AccountEvent::MoneyWithdrawn {
                transfer, cents, ..
            } => {
                let effect = effects.entry(*transfer).or_default();
                effect.withdrawn.push((stream.clone(), *cents));
            }
            AccountEvent::MoneyDeposited {
                transfer, cents, ..
            } => {
                let effect = effects.entry(*transfer).or_default();
                effect.deposited.push((stream.clone(), *cents));
            }
        }
    }
    Ok(effects)
}

fn shown(balance: Option<Money>) -> String {
    balance.map_or_else(|| "no event".to_owned(), |balance| balance.to_string())
}
