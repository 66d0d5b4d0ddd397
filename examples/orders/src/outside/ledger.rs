//! [`Ledger`]: a payment provider and a carrier in memory. The stub serves it over HTTP.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use super::{Answer, Carrier, Payments, Unavailable};
use crate::domain::{Money, OrderId};

/// A larger payment is declined.
pub const MAX_PAYMENT_CENTS: u64 = 1_000_000;

/// A larger shipment is refused.
pub const MAX_PIECES: u64 = 100;

/// A payment provider and a carrier that remember what they were asked.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    payments: HashMap<OrderId, Entry>,
    shipments: HashMap<OrderId, Entry>,
}

/// What was answered for an order, and whether it was taken back.
#[derive(Debug, Clone)]
struct Entry {
    answer: Answer,
    amount: u64,
    withdrawn: bool,
}

impl Ledger {
    /// For an audit: how much money was taken and not given back, in cents, and for how many orders.
    pub fn taken(&self) -> (u64, usize) {
        sum(self.entries().payments.values())
    }

    /// For an audit: how many pieces are shipped, and for how many orders.
    pub fn shipped(&self) -> (u64, usize) {
        sum(self.entries().shipments.values())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sum<'a>(entries: impl Iterator<Item = &'a Entry>) -> (u64, usize) {
    let standing = entries.filter(|one| !one.withdrawn && matches!(one.answer, Answer::Done(_)));
    standing.fold((0, 0), |(sum, count), entry| {
        (sum + entry.amount, count + 1)
    })
}

/// The answer that was given before, or the one that is given now.
fn once(
    entries: &mut HashMap<OrderId, Entry>,
    order: OrderId,
    amount: u64,
    decide: impl FnOnce(usize) -> Answer,
) -> Answer {
    let number = entries.len() + 1;
    let entry = entries.entry(order).or_insert_with(|| Entry {
        answer: decide(number),
        amount,
        withdrawn: false,
    });
    match entry.withdrawn {
        true => Answer::Refused("it was taken back before".to_owned()),
        false => entry.answer.clone(),
    }
}

/// Takes back what was done, or keeps it from ever being done.
fn withdraw(entries: &mut HashMap<OrderId, Entry>, order: OrderId) {
    let nothing = || Entry {
        answer: Answer::Refused("it was taken back before".to_owned()),
        amount: 0,
        withdrawn: true,
    };
    entries.entry(order).or_insert_with(nothing).withdrawn = true;
}

impl Payments for Ledger {
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let cents = amount.cents();
        let answer = once(
            &mut self.entries().payments,
            order,
            cents,
            |number| match cents > MAX_PAYMENT_CENTS {
                true => Answer::Refused("Payment declined".to_owned()),
                false => Answer::Done(format!("PAY-{number:04}")),
            },
        );
        ready(Ok(answer)).boxed()
    }

    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        withdraw(&mut self.entries().payments, order);
        ready(Ok(())).boxed()
    }
}

impl Carrier for Ledger {
    fn book(&self, order: OrderId, pieces: u64) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let answer = once(
            &mut self.entries().shipments,
            order,
            pieces,
            |number| match pieces > MAX_PIECES {
                true => Answer::Refused("Shipping unavailable".to_owned()),
                false => Answer::Done(format!("TRACK-{number:04}")),
            },
        );
        ready(Ok(answer)).boxed()
    }

    fn withdraw(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        withdraw(&mut self.entries().shipments, order);
        ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_twice_is_done_once_and_what_is_taken_back_is_never_done() {
        let ledger = Ledger::default();
        let (order, amount) = (OrderId::new(), Money::from_cents(500));
        let first = ledger.charge(order, amount).await.unwrap();
        assert_eq!(ledger.charge(order, amount).await.unwrap(), first);
        assert_eq!(ledger.taken(), (500, 1));

        let late = OrderId::new();
        ledger.refund(late).await.unwrap();
        let answer = ledger.charge(late, amount).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)));
        assert_eq!(ledger.taken(), (500, 1));
    }
}
