//! [`Money`]: an amount in whole cents.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg};

use serde::{Deserialize, Serialize};

use crate::text::grouped;

/// An amount in whole cents, shown as `1,234.56`.
///
/// Sums saturate at the largest amount instead of wrapping around. The bank cannot reach it: it
/// only moves the money that [`openings`](crate::openings) put in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct Money(i64);

impl Money {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn cents(cents: i64) -> Self {
        Self(cents)
    }

    pub(crate) const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.unsigned_abs();
        let sign = if self.is_negative() { "-" } else { "" };
        f.pad(&format!(
            "{sign}{}.{:02}",
            grouped(cents / 100),
            cents % 100
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_with_two_decimals_groups_and_its_sign() {
        let shown = [0, 5, -5, 123_456, -100_000_000].map(|cents| Money::cents(cents).to_string());
        assert_eq!(
            shown,
            ["0.00", "0.05", "-0.05", "1,234.56", "-1,000,000.00"]
        );
        assert_eq!(format!("{:>8}", Money::cents(150)), "    1.50");
    }
}
