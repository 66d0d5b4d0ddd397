//! [`Ledger`]: a payment provider and a carrier who remember, in memory or in a file. The stub serves
//! it over HTTP.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use super::ledger_file::{Act, LedgerFile, Record};
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
    /// Where they are kept too.
    file: Option<LedgerFile>,
}

/// What was answered for an order, and whether it was taken back.
#[derive(Debug, Clone)]
struct Entry {
    answer: Answer,
    amount: u64,
    withdrawn: bool,
}

impl Ledger {
    /// A ledger that is kept in a file: nothing is answered before it is there. Who opens the file
    /// again goes on with what was answered before.
    ///
    /// # Errors
    ///
    /// The file cannot be used, another process uses it, or it is not a ledger.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, records) = LedgerFile::open(path)?;
        let mut entries = Entries::default();
        for record in records {
            entries.apply(record);
        }
        entries.file = Some(file);
        Ok(Self {
            entries: Mutex::new(entries),
        })
    }

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

    /// The answer that was given before, or the one that is given now.
    fn once(
        &self,
        did: Act,
        order: OrderId,
        amount: u64,
        decide: impl FnOnce(usize) -> Answer,
    ) -> Result<Answer, Unavailable> {
        let mut entries = self.entries();
        let known = entries.of(did);
        if let Some(entry) = known.get(&order) {
            return Ok(match entry.withdrawn {
                true => taken_back(),
                false => entry.answer.clone(),
            });
        }
        let answer = decide(known.len() + 1);
        entries.record(Record {
            did,
            order,
            amount,
            answer: Some(answer.clone()),
        })?;
        Ok(answer)
    }

    /// Takes back what was done, or keeps it from ever being done.
    fn take_back(&self, did: Act, order: OrderId) -> Result<(), Unavailable> {
        let mut entries = self.entries();
        let known = entries.of(did).get(&order);
        if known.is_some_and(|entry| entry.withdrawn) {
            return Ok(());
        }
        let done = known.filter(|entry| matches!(entry.answer, Answer::Done(_)));
        let record = Record {
            did,
            order,
            amount: done.map_or(0, |entry| entry.amount),
            answer: None,
        };
        entries.record(record)
    }
}

impl Entries {
    /// Those of one partner.
    fn of(&mut self, did: Act) -> &mut HashMap<OrderId, Entry> {
        match did {
            Act::Charge | Act::Refund => &mut self.payments,
            Act::Book | Act::Withdraw => &mut self.shipments,
        }
    }

    /// Keeps what is done, and does it. The thread waits for the disk.
    fn record(&mut self, record: Record) -> Result<(), Unavailable> {
        if let Some(file) = &mut self.file {
            file.add(&record).map_err(|error| Unavailable {
                partner: match record.did {
                    Act::Charge | Act::Refund => "the payment provider",
                    Act::Book | Act::Withdraw => "the carrier",
                },
                source: error.into(),
            })?;
        }
        self.apply(record);
        Ok(())
    }

    fn apply(&mut self, record: Record) {
        let Record { order, amount, .. } = record;
        let entries = self.of(record.did);
        match record.answer {
            Some(answer) => {
                let withdrawn = false;
                let entry = Entry {
                    answer,
                    amount,
                    withdrawn,
                };
                entries.insert(order, entry);
            }
            None => {
                let nothing = || Entry {
                    answer: taken_back(),
                    amount,
                    withdrawn: true,
                };
                entries.entry(order).or_insert_with(nothing).withdrawn = true;
            }
        }
    }
}

fn taken_back() -> Answer {
    Answer::Refused("it was taken back before".to_owned())
}

fn sum<'a>(entries: impl Iterator<Item = &'a Entry>) -> (u64, usize) {
    let standing = entries.filter(|one| !one.withdrawn && matches!(one.answer, Answer::Done(_)));
    standing.fold((0, 0), |(sum, count), entry| {
        (sum + entry.amount, count + 1)
    })
}

impl Payments for Ledger {
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let cents = amount.cents();
        let decide = |number| match cents > MAX_PAYMENT_CENTS {
            true => Answer::Refused("Payment declined".to_owned()),
            false => Answer::Done(format!("PAY-{number:04}")),
        };
        ready(self.once(Act::Charge, order, cents, decide)).boxed()
    }

    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        ready(self.take_back(Act::Refund, order)).boxed()
    }
}

impl Carrier for Ledger {
    fn book(&self, order: OrderId, pieces: u64) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let decide = |number| match pieces > MAX_PIECES {
            true => Answer::Refused("Shipping unavailable".to_owned()),
            false => Answer::Done(format!("TRACK-{number:04}")),
        };
        ready(self.once(Act::Book, order, pieces, decide)).boxed()
    }

    fn withdraw(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        ready(self.take_back(Act::Withdraw, order)).boxed()
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

    #[tokio::test]
    async fn a_ledger_in_a_file_goes_on_after_a_kill_during_a_line() {
        let name = format!("orders-ledger-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let (kept, refunded, amount) = (OrderId::new(), OrderId::new(), Money::from_cents(500));
        let answer = {
            let ledger = Ledger::open(&path).unwrap();
            Ledger::open(&path).unwrap_err();
            let answer = ledger.charge(kept, amount).await.unwrap();
            ledger.charge(refunded, amount).await.unwrap();
            ledger.refund(refunded).await.unwrap();
            ledger.withdraw(kept).await.unwrap();
            answer
        };
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"did\":\"char")).unwrap();

        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        assert_eq!(ledger.charge(kept, amount).await.unwrap(), answer);
        assert_eq!(ledger.taken(), (500, 1));
        let answer = ledger.book(kept, 1).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        std::fs::remove_file(&path).unwrap();
    }
}
