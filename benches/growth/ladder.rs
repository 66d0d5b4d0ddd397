//! Sizes that take turns: in each round every size once, upwards and downwards in turns, so that a
//! machine that grows slower or faster disturbs small and large alike.

use anyhow::Result;
use eventcore_benches::report::{Comparison, Curve, Point, Target};
use eventcore_benches::rounds::Round;

use crate::Growth;

/// What is measured at each size.
pub(crate) struct Rung {
    /// What is done, e.g. "1 event, new stream".
    pub(crate) work: &'static str,
    /// What grows, e.g. "waiting sessions".
    pub(crate) growing: &'static str,
    pub(crate) clients: u32,
    /// What is counted, e.g. "appends".
    pub(crate) counted: &'static str,
    /// The share of the rate at the smallest size that is expected at the largest.
    pub(crate) target: Option<f64>,
}

impl Growth {
    /// Measures a rate per second at every size, in ascending order of `sizes`.
    pub(crate) async fn climb(
        &mut self,
        rung: &Rung,
        sizes: &[u64],
        mut rate: impl AsyncFnMut(usize) -> Result<f64>,
    ) -> Result<()> {
        let mut rates = vec![Vec::new(); sizes.len()];
        for round in 0..self.rounds {
            for step in 0..sizes.len() {
                let at = match round % 2 {
                    0 => step,
                    _ => sizes.len() - 1 - step,
                };
                rates[at].push(rate(at).await?);
            }
        }
        self.record(rung, sizes, &rates);
        Ok(())
    }

    /// The largest size against the smallest, and the cost at each.
    fn record(&mut self, rung: &Rung, sizes: &[u64], rates: &[Vec<f64>]) {
        let (Some(first), Some(last)) = (rates.first(), rates.last()) else {
            return;
        };
        let rounds = last.iter().zip(first).map(|(measured, reference)| Round {
            measured: *measured,
            reference: *reference,
        });
        let [smallest, largest] =
            [sizes.first(), sizes.last()].map(|size| size.copied().unwrap_or_default());
        self.report.comparisons.push(Comparison::new(
            format!("{}, {} {}", rung.work, Curve::number(largest), rung.growing),
            match smallest {
                0 => "none".to_owned(),
                _ => Curve::number(smallest),
            },
            rung.clients,
            rung.counted,
            rounds.collect(),
            rung.target.map(Target::AtLeast),
        ));
        let points = sizes.iter().zip(rates).map(|(size, rates)| Point {
            size: *size,
            costs: rates.iter().map(|rate| 1e6 / rate).collect(),
        });
        self.report.curves.push(Curve {
            work: rung.work.to_owned(),
            growing: rung.growing,
            unit: "µs",
            points: points.collect(),
        });
    }
}
