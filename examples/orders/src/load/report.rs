//! [`Report`]: what the service answered to its customers, in numbers and as a plot.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::customer::{Ordered, Outcome};

/// The widest bar of the plot, in characters.
const WIDEST: usize = 50;
/// The most bars of the plot.
const BARS: u64 = 30;

/// What the service answered to its customers.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How many there were.
    pub customers: usize,
    /// How long it took.
    pub took: Duration,
    /// What became of each order.
    pub orders: Vec<Ordered>,
    /// How many version conflicts the service has solved by deciding again.
    pub conflicts: u64,
}

impl Report {
    /// How many orders ended in this way.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.orders
            .iter()
            .filter(|order| order.outcome == outcome)
            .count()
    }

    fn quantiles(&self, of: impl Fn(&Ordered) -> Duration) -> String {
        let mut all: Vec<_> = self.orders.iter().map(of).collect();
        all.sort();
        let at = |share: f64| {
            let place = (share * all.len() as f64) as usize;
            let found = all.get(place.min(all.len().saturating_sub(1)));
            found.copied().unwrap_or_default().as_secs_f64() * 1_000.0
        };
        format!(
            "p50 {:.1}  p99 {:.1}  max {:.1} ms",
            at(0.5),
            at(0.99),
            at(1.0)
        )
    }

    /// How many orders were over in each interval, and how long an interval is.
    fn over_time(&self) -> (u64, Vec<usize>) {
        let seconds = self.took.as_secs().max(1).div_ceil(BARS);
        let mut bars: BTreeMap<u64, usize> = BTreeMap::new();
        for order in &self.orders {
            *bars.entry(order.at.as_secs() / seconds).or_default() += 1;
        }
        let last = bars.keys().next_back().copied().unwrap_or_default();
        (
            seconds,
            (0..=last)
                .map(|bar| bars.get(&bar).copied().unwrap_or_default())
                .collect(),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.orders.len();
        let rate = total as f64 / self.took.as_secs_f64();
        writeln!(
            f,
            "{total} orders of {} customers, {rate:.1} per second",
            self.customers
        )?;
        writeln!(f, "  created    {}", self.quantiles(|order| order.created))?;
        writeln!(
            f,
            "  fulfilled  {}",
            self.quantiles(|order| order.fulfilled)
        )?;
        for (name, outcome) in [
            ("completed", Outcome::Completed),
            ("compensated", Outcome::Failed),
            ("still running", Outcome::Running),
            ("refused for a conflict", Outcome::Conflict),
            ("refused, or not answered", Outcome::Error),
        ] {
            writeln!(f, "  {name:<25} {:>8}", self.count(outcome))?;
        }
        writeln!(
            f,
            "  {:<25} {:>8}",
            "conflicts decided again", self.conflicts
        )?;

        let (seconds, bars) = self.over_time();
        let highest = bars.iter().copied().max().unwrap_or_default().max(1);
        writeln!(f, "\norders per second")?;
        for (count, bar) in bars.iter().zip(0_u64..) {
            let rate = *count as f64 / seconds as f64;
            let width = count * WIDEST / highest;
            writeln!(
                f,
                "{:>5} s {:<WIDEST$} {rate:.0}",
                bar * seconds,
                "█".repeat(width)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_rate_the_quantiles_and_a_bar_for_each_second() {
        let order = |n: u64| Ordered {
            at: Duration::from_millis(n * 100),
            created: Duration::from_millis(n),
            fulfilled: Duration::from_millis(10 * n),
            outcome: if n == 7 {
                Outcome::Failed
            } else {
                Outcome::Completed
            },
        };
        let took = Duration::from_secs(2);
        let orders = (0..20).map(order).collect();
        let report = Report {
            customers: 4,
            took,
            orders,
            conflicts: 3,
        }
        .to_string();
        assert!(
            report.starts_with("20 orders of 4 customers, 10.0 per second\n"),
            "{report}"
        );
        assert!(
            report.contains("created    p50 10.0  p99 19.0  max 19.0 ms"),
            "{report}"
        );
        let full = format!("    1 s {} 10\n", "█".repeat(WIDEST));
        assert!(report.contains(&full), "{report}");
    }
}
