//! [`Report`]: what a run did, as text.

use std::collections::BTreeMap;
use std::fmt;

use crate::audit::{Evidence, Verdict};
use crate::ledger::Ledger;
use crate::money::Money;
use crate::outcome::Reason;
use crate::speed::Speed;
use crate::text::{count, grouped};

/// What a run did, as text.
pub(crate) struct Report<'a> {
    pub(crate) evidence: &'a Evidence<'a>,
    pub(crate) verdict: &'a Verdict,
    pub(crate) speed: Speed,
    /// How many events the subscriber had seen when the workers were done.
    pub(crate) seen_live: usize,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transfers(f)?;
        self.speed(f)?;
        self.money(f)?;
        self.subscriber(f)?;
        self.checks(f)
    }
}

impl Report<'_> {
    fn transfers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcomes = self.evidence.outcomes;
        let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
        for reason in outcomes.iter().filter_map(|outcome| outcome.result.err()) {
            *reasons.entry(reason).or_default() += 1;
        }
        let rejected: usize = reasons.values().sum();
        let retries: u64 = outcomes
            .iter()
            .filter_map(|outcome| Some(u64::from(outcome.work?.retries)))
            .sum();

        title(f, "Transfers")?;
        row(f, "accepted", count(outcomes.len() - rejected))?;
        row(f, "rejected", count(rejected))?;
        for (reason, times) in reasons {
            row(f, &format!("  {reason}"), count(times))?;
        }
        row(f, "retries after conflicts", grouped(retries))
    }

    fn speed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let speed = &self.speed;
        title(f, "Speed")?;
        row(f, "transfers executed", count(speed.executed))?;
        row(f, "per second", grouped(speed.per_second.round() as u64))?;
        row(f, "latency p50", format_args!("{:.1?}", speed.p50))?;
        row(f, "latency p99", format_args!("{:.1?}", speed.p99))
    }

    fn money(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledger = Ledger::of(self.evidence.stored);
        let highest = ledger.accounts().max_by_key(|(_, account)| account.balance);
        let openings = self.evidence.openings;
        let opened: Money = openings.iter().map(|opening| opening.cents).sum();

        title(f, "Money")?;
        row(f, "in all accounts, at the start", opened)?;
        row(f, "in all accounts, at the end", ledger.total())?;
        if let Some((stream, account)) = highest {
            row(f, &format!("most at the end, in {stream}"), account.balance)?;
        }
        if let Some((stream, lowest)) = ledger.lowest() {
            row(f, &format!("least at any time, in {stream}"), lowest)?;
        }
        Ok(())
    }

    fn subscriber(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.evidence.seen;
        title(f, "Subscriber")?;
        row(f, "events seen", count(seen.len()))?;
        row(f, "  while the workers worked", count(self.seen_live))?;
        row(f, "money in them", Ledger::of(seen).total())
    }

    fn checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        title(f, "Checks")?;
        for finding in &self.verdict.findings {
            let (mark, found) = match &finding.found {
                Ok(found) => ("ok    ", found),
                Err(found) => ("FAILED", found),
            };
            writeln!(f, "  {mark}  {:<58}{found}", finding.invariant)?;
        }
        Ok(())
    }
}

fn title(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    writeln!(f, "\n{title}")
}

fn row(f: &mut fmt::Formatter<'_>, label: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {label:<42}{:>14}", value.to_string())
}
