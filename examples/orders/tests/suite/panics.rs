//! A fault in the program itself: code that panics in the middle of a fulfilment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::Ground;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use orders::domain::{Money, OrderId};
use orders::outside::{Answer, Ledger, Outside, Payments, Unavailable};

/// A provider whose code panics when it is called for the first time.
struct Broken {
    ledger: Arc<Ledger>,
    calls: AtomicUsize,
}

impl Payments for Broken {
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        async move {
            if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
                panic!("on purpose");
            }
            self.ledger.charge(order, amount).await
        }
        .boxed()
    }

    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.ledger.refund(order)
    }
}

pub(crate) async fn a_panic_in_a_fulfilment_ends_no_runner(ground: Ground) {
    let ledger = Arc::new(Ledger::default());
    let broken = Arc::new(Broken {
        ledger: ledger.clone(),
        calls: AtomicUsize::new(0),
    });
    let outside = Outside {
        payments: broken.clone(),
        carrier: ledger.clone(),
    };
    let ground = ground.with("FULFILMENT_RUNNERS", "1");
    let shop = ground.start_with(ledger, outside).await;
    shop.stock("A", 100).await;
    let order = shop.order(&[("A", 3)]).await;
    // The only runner panics, and does the work nevertheless.
    assert_eq!(shop.fulfil(&order).await, "Completed");
    assert_eq!(broken.calls.load(Ordering::SeqCst), 2);
    assert_eq!(shop.ledger.taken(), (3_000, 1));
    assert_eq!(shop.available("A").await, 97);
}
