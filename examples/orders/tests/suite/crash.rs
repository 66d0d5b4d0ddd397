//! A service that ends in the middle of a fulfilment, at each call of a partner.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use orders::domain::{Money, OrderId};
use orders::outside::{Answer, Carrier, Ledger, Outside, Payments, Unavailable};
use reqwest::Method;
use tokio::sync::Notify;

use super::support::{Ground, answer, until};

/// Partners that stop answering at one call: before it is carried out, or after.
struct Stuck {
    ledger: Arc<Ledger>,
    calls: AtomicUsize,
    at: usize,
    after: bool,
    is_stuck: Notify,
}

impl Stuck {
    /// Whether a call may be carried out, and then whether it may be answered.
    async fn pass(&self, call: usize, after: bool) {
        if call == self.at && after == self.after {
            self.is_stuck.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn ask<'a, T: Send + 'a>(&'a self, work: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        async move {
            self.pass(call, false).await;
            let answer = work.await;
            self.pass(call, true).await;
            answer
        }
        .boxed()
    }
}

impl Payments for Stuck {
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let ledger = &self.ledger;
        self.ask(async move { ledger.charge(order, amount).await }.boxed())
    }

    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        let ledger = &self.ledger;
        self.ask(async move { ledger.refund(order).await }.boxed())
    }
}

impl Carrier for Stuck {
    fn book(&self, order: OrderId, pieces: u64) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let ledger = &self.ledger;
        self.ask(async move { ledger.book(order, pieces).await }.boxed())
    }

    fn withdraw(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        let ledger = &self.ledger;
        self.ask(async move { ledger.withdraw(order).await }.boxed())
    }
}

/// An order that succeeds calls partners twice; one that the carrier refuses four times.
pub(crate) async fn a_fulfilment_that_is_interrupted_anywhere_ends_once(ground: Ground) {
    let ledger = Arc::new(Ledger::default());
    let (mut taken, mut shipped, mut left) = ((0, 0), (0, 0), 10_000);
    let fine = [0, 1].map(|at| (at, 3, "Completed"));
    let refused = [0, 1, 2, 3].map(|at| (at, 101, "Cancelled"));
    for (at, quantity, outcome) in fine.into_iter().chain(refused) {
        for after in [false, true] {
            let stuck = Arc::new(Stuck {
                ledger: ledger.clone(),
                calls: AtomicUsize::new(0),
                at,
                after,
                is_stuck: Notify::new(),
            });
            let outside = Outside {
                payments: stuck.clone(),
                carrier: stuck.clone(),
            };
            let shop = ground.start_with(ledger.clone(), outside).await;
            if left == 10_000 {
                shop.stock("A", left).await;
                left -= 1;
            }
            let order = shop.order(&[("A", quantity)]).await;
            let path = format!("/orders/{order}/fulfill");
            let request = shop
                .request(Method::POST, &path)
                .header("prefer", "respond-async");
            answer(request).await.expect(202);
            stuck.is_stuck.notified().await;
            drop(shop);

            let healthy = Outside {
                payments: ledger.clone(),
                carrier: ledger.clone(),
            };
            let shop = ground.start_with(ledger.clone(), healthy).await;
            let saga = format!("/orders/{order}/saga");
            let ended = async || {
                let state = shop.get(&saga).await.body["state"].clone();
                state == "Completed" || state == "Failed"
            };
            until(ended).await;
            let case = format!("{outcome} at {at}, after: {after}");
            assert_eq!(shop.state(&order).await, outcome, "{case}");
            if outcome == "Completed" {
                taken = (taken.0 + 3_000, taken.1 + 1);
                shipped = (shipped.0 + 3, shipped.1 + 1);
            }
            assert_eq!(
                (ledger.taken(), ledger.shipped()),
                (taken, shipped),
                "{case}"
            );
            let sold = i64::try_from(shipped.0).unwrap();
            assert_eq!(shop.available("A").await, 10_000 - sold, "{case}");
            shop.stop().await;
        }
    }
}
