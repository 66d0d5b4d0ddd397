//! Partners who take their time, fail, and lose answers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use orders::domain::{Money, OrderId};
use orders::outside::{
    Answer, Carrier, Faults, Ledger, Outside, OverHttp, Payments, Unavailable, serve_stub,
};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::support::{Ground, answer, until};

/// A provider that waits for a permit, so that a test can do something meanwhile.
struct Gated(Arc<Ledger>, Arc<Semaphore>);

impl Payments for Gated {
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        async move {
            let answer = self.0.charge(order, amount).await;
            self.1.acquire().await.unwrap().forget();
            answer
        }
        .boxed()
    }

    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        self.0.refund(order)
    }
}

pub(crate) async fn an_order_that_is_cancelled_on_its_way_is_undone(ground: Ground) {
    let (ledger, gate) = (Arc::new(Ledger::default()), Arc::new(Semaphore::new(0)));
    let payments = Arc::new(Gated(ledger.clone(), gate.clone()));
    let outside = Outside {
        payments,
        carrier: ledger.clone(),
    };
    let shop = ground.start_with(ledger, outside).await;
    shop.stock("A", 5).await;
    let order = shop.order(&[("A", 2)]).await;
    let path = format!("/orders/{order}/fulfill");
    let request = shop
        .request(Method::POST, &path)
        .header("prefer", "respond-async");
    assert_eq!(answer(request).await.expect(202).body["saga_id"], order);
    // The money is taken, but nobody knows yet.
    until(async || shop.ledger.taken() == (2_000, 1)).await;
    assert_eq!(
        (shop.state(&order).await.as_str(), shop.available("A").await),
        ("Reserved", 3)
    );
    let cancel = json!({ "reason": "changed my mind" });
    shop.post(&format!("/orders/{order}/cancel"), cancel)
        .await
        .expect(200);
    gate.add_permits(10);

    let saga = format!("/orders/{order}/saga");
    until(async || shop.get(&saga).await.body["state"] == "Failed").await;
    let order = shop.get(&format!("/orders/{order}")).await.expect(200).body;
    assert_eq!(order["cancellation_reason"], "changed my mind");
    assert_eq!(
        (shop.available("A").await, shop.ledger.taken()),
        (5, (0, 0))
    );
}

pub(crate) async fn partners_that_fail_and_lose_answers_change_no_outcome(ground: Ground) {
    let ledger = Arc::new(Ledger::default());
    let faults = Faults {
        fail: 0.3,
        lose: 0.3,
        slow: 0.3,
        delay: Duration::from_millis(30),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stub = tokio::spawn(serve_stub(
        listener,
        ledger.clone(),
        faults,
        std::future::pending(),
    ));
    let timeout = Duration::from_millis(500);
    let partners = Arc::new(OverHttp::new(&format!("http://{address}"), timeout).unwrap());
    let outside = Outside {
        payments: partners.clone(),
        carrier: partners.clone() as Arc<dyn Carrier>,
    };
    let shop = ground.start_with(ledger, outside).await;

    shop.stock("A", 50).await;
    let orders = join_all((0..8).map(|_| async { shop.order(&[("A", 2)]).await })).await;
    let too_dear = shop.order(&[("A", 40), ("B", 1_000)]).await;
    let ended = join_all(orders.iter().map(|order| shop.fulfil(order))).await;
    assert!(ended.iter().all(|ended| ended == "Completed"), "{ended:?}");
    assert_eq!(shop.fulfil(&too_dear).await, "Failed");
    assert_eq!(
        (shop.ledger.taken(), shop.ledger.shipped()),
        ((16_000, 8), (16, 8))
    );
    assert_eq!(shop.available("A").await, 34);
    stub.abort();
}
