//! [`Money`], [`Price`] and [`Quantity`]. Their limits are such that no sum in the shop overflows.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// An amount in whole cents, zero or more. Events store it as `{"cents": 250}`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
pub struct Money {
    cents: u64,
}

/// What one piece costs: 1 cent to 10,000,000.00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Money", into = "Money")]
pub struct Price(Money);

/// How many pieces: 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Quantity(u32);

/// A price that is not in its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a price of {0} cents is not 1 to {max} cents", max = Price::MAX)]
pub struct InvalidPrice(i64);

/// A quantity that is not in its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a quantity of {0} is not 1 to {max}", max = Quantity::MAX)]
pub struct InvalidQuantity(u64);

impl Money {
    /// This many cents.
    pub const fn from_cents(cents: u64) -> Self {
        Self { cents }
    }

    /// The number of cents.
    pub const fn cents(self) -> u64 {
        self.cents
    }
}

impl Price {
    /// The highest price, in cents.
    pub const MAX: i64 = 1_000_000_000;

    /// A price of this many cents.
    ///
    /// # Errors
    ///
    /// It is not 1 to [`MAX`](Self::MAX).
    pub fn from_cents(cents: i64) -> Result<Self, InvalidPrice> {
        match u64::try_from(cents) {
            Ok(amount) if (1..=Self::MAX).contains(&cents) => Ok(Self(Money::from_cents(amount))),
            _ => Err(InvalidPrice(cents)),
        }
    }

    /// The price as an amount.
    pub const fn money(self) -> Money {
        self.0
    }

    /// What this many pieces cost.
    pub fn times(self, quantity: Quantity) -> Money {
        Money::from_cents(self.0.cents * u64::from(quantity.0))
    }
}

impl Quantity {
    /// The largest quantity.
    pub const MAX: u32 = 1_000_000;

    /// This many pieces.
    ///
    /// # Errors
    ///
    /// It is not 1 to [`MAX`](Self::MAX).
    pub fn new(pieces: u32) -> Result<Self, InvalidQuantity> {
        match pieces {
            1..=Self::MAX => Ok(Self(pieces)),
            _ => Err(InvalidQuantity(pieces.into())),
        }
    }

    /// The number of pieces.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Both together.
    ///
    /// # Errors
    ///
    /// It is more than [`MAX`](Self::MAX).
    pub fn plus(self, other: Self) -> Result<Self, InvalidQuantity> {
        Self::new(self.0 + other.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self::from_cents(amounts.map(Self::cents).sum())
    }
}

/// For people, as `1234.56`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.cents / 100, self.cents % 100)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<Money> for Price {
    type Error = InvalidPrice;

    fn try_from(money: Money) -> Result<Self, InvalidPrice> {
        Self::from_cents(i64::try_from(money.cents).unwrap_or(i64::MAX))
    }
}

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        price.0
    }
}

impl TryFrom<u32> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(pieces: u32) -> Result<Self, InvalidQuantity> {
        Self::new(pieces)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_out_of_range_do_not_exist() {
        assert!(
            [0, Quantity::MAX + 1]
                .into_iter()
                .all(|n| Quantity::new(n).is_err())
        );
        assert!(
            [-1, 0, Price::MAX + 1]
                .into_iter()
                .all(|n| Price::from_cents(n).is_err())
        );
        assert!(serde_json::from_str::<Quantity>("0").is_err());
        assert!(serde_json::from_str::<Price>(r#"{"cents": 0}"#).is_err());
        let most = Quantity::new(Quantity::MAX).unwrap();
        assert!(most.plus(Quantity::new(1).unwrap()).is_err());
    }

    #[test]
    fn the_dearest_order_has_a_total() {
        let most = Quantity::new(Quantity::MAX).unwrap();
        let dearest = Price::from_cents(Price::MAX).unwrap();
        let total: Money = (0..crate::domain::MAX_ITEMS)
            .map(|_| dearest.times(most))
            .sum();
        assert!(i64::try_from(total.cents()).is_ok(), "{total}");
    }
}
