//! Rounds: one slice of the measured side and one of its reference, next to each other in time, so
//! that disturbances of the machine affect both alike.

use anyhow::Result;
use serde::Serialize;

/// Two neighbouring slices, in the unit of their comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Round {
    pub measured: f64,
    pub reference: f64,
}

impl Round {
    /// How many times as large as the reference.
    pub fn ratio(&self) -> f64 {
        self.measured / self.reference
    }
}

/// The means of the measured side and of its reference.
pub fn mean(rounds: &[Round]) -> Round {
    let mean = |value: fn(&Round) -> f64| {
        #[expect(clippy::cast_precision_loss, reason = "there are few rounds")]
        let count = rounds.len() as f64;
        rounds.iter().map(value).sum::<f64>() / count
    };
    Round {
        measured: mean(|round| round.measured),
        reference: mean(|round| round.reference),
    }
}

/// Runs both `count` times, in turns; the order of the two is swapped from round to round.
///
/// # Errors
/// The first error of either.
pub async fn alternate(
    count: usize,
    mut measured: impl AsyncFnMut(usize) -> Result<f64>,
    mut reference: impl AsyncFnMut(usize) -> Result<f64>,
) -> Result<Vec<Round>> {
    let mut rounds = Vec::with_capacity(count);
    for round in 0..count {
        rounds.push(if round % 2 == 0 {
            let measured = measured(round).await?;
            Round {
                measured,
                reference: reference(round).await?,
            }
        } else {
            let reference = reference(round).await?;
            Round {
                measured: measured(round).await?,
                reference,
            }
        });
    }
    Ok(rounds)
}

/// The median of values, and their range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// For at least one value; for none, all three are NaN.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first(), values.last()) else {
            return Self {
                median: f64::NAN,
                min: f64::NAN,
                max: f64::NAN,
            };
        };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self {
            median,
            min: *min,
            max: *max,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).median, 2.0);
    }

    #[tokio::test]
    async fn the_order_is_swapped_from_round_to_round() {
        let order = RefCell::new(String::new());
        let slice = async |name, value| {
            order.borrow_mut().push(name);
            Ok(value)
        };
        let rounds = alternate(
            3,
            async |_| slice('m', 1.0).await,
            async |_| slice('r', 2.0).await,
        )
        .await
        .unwrap();
        assert_eq!(*order.borrow(), "mrrmmr");
        assert!(rounds.iter().all(|round| round.ratio() == 0.5));
    }
}
