//! What a work costs while something grows.

use serde::Serialize;

use crate::rounds::Spread;

/// The cost of a work over a size.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    pub work: String,
    /// What the size counts, e.g. "events".
    pub growing: &'static str,
    /// The unit of the costs.
    pub unit: &'static str,
    /// In ascending order of their sizes.
    pub points: Vec<Point>,
}

/// The costs at one size, one for each round.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    pub size: u64,
    pub costs: Vec<f64>,
}

impl Curve {
    /// A size as people write it: 500, 1,000, 20 k, 1 M.
    pub fn number(size: u64) -> String {
        match size {
            1_000_000.. if size.is_multiple_of(1_000_000) => format!("{} M", size / 1_000_000),
            1_000_000.. if size.is_multiple_of(100_000) => {
                format!("{}.{} M", size / 1_000_000, size / 100_000 % 10)
            }
            10_000.. => format!("{} k", size / 1000),
            1000.. => format!("{},{:03}", size / 1000, size % 1000),
            _ => size.to_string(),
        }
    }

    /// The median cost at a point, with its unit.
    pub(super) fn cost(&self, point: &Point) -> String {
        let cost = Spread::of(point.costs.iter().copied()).median;
        match self.unit {
            "µs" if cost >= 1000.0 => format!("{:.1} ms", cost / 1000.0),
            unit => format!("{cost:.1} {unit}"),
        }
    }

    /// The costs at a point as multiples of those at the smallest size, round by round: the two were
    /// measured next to each other.
    pub fn growth(&self, point: &Point) -> Spread {
        let smallest = self.points.first().map_or(&[][..], |first| &first.costs);
        Spread::of(
            point
                .costs
                .iter()
                .zip(smallest)
                .map(|(cost, at_first)| cost / at_first),
        )
    }
}
