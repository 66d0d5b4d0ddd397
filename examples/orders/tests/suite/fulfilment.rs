//! Orders are fulfilled, or what was done is undone.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::support::{Ground, until};

pub(crate) async fn an_order_is_fulfilled(ground: Ground) {
    let shop = ground.start().await;
    for product in ["A", "B"] {
        shop.stock(product, 10).await;
    }
    let order = shop.order(&[("A", 2), ("B", 3)]).await;
    let saga = format!("/orders/{order}/saga");
    let before = shop.get(&saga).await.expect(200).body;
    assert_eq!(
        (&before["state"], &before["completed_steps"]),
        (&json!("NotStarted"), &json!([]))
    );

    assert_eq!(shop.fulfil(&order).await, "Completed");
    let after = shop.get(&saga).await.expect(200).body;
    let steps = json!(["reserve_inventory", "process_payment", "create_shipment"]);
    assert_eq!(
        (&after["state"], &after["completed_steps"]),
        (&json!("Completed"), &steps)
    );
    assert_eq!(
        (&after["saga_id"], &after["order_id"]),
        (&json!(order), &json!(order))
    );
    assert_eq!(after["payment_id"], "PAY-0001");
    assert_eq!(after["reservation_id"], format!("RES-{order}"));
    assert_eq!(after.get("failure_reason"), None);
    let completed = shop.get(&format!("/orders/{order}")).await.expect(200).body;
    assert_eq!(completed["tracking_number"], after["tracking_number"]);
    assert_eq!(
        (shop.available("A").await, shop.available("B").await),
        (8, 7)
    );
    assert_eq!(
        (shop.ledger.taken(), shop.ledger.shipped()),
        ((5_000, 1), (5, 1))
    );
}

pub(crate) async fn a_refused_step_is_compensated(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 2_000).await;
    // Too few pieces; more than the provider takes, more than the carrier takes.
    let cases: [(&str, u32, &str, Value, Value); 3] = [
        (
            "B",
            1,
            "Insufficient stock of B: 0 available, 1 wanted",
            json!([]),
            json!([]),
        ),
        (
            "A",
            1_001,
            "Payment declined",
            json!(["reserve_inventory"]),
            json!(["reserve_inventory"]),
        ),
        (
            "A",
            101,
            "Shipping unavailable",
            json!(["reserve_inventory", "process_payment"]),
            json!(["process_payment", "reserve_inventory"]),
        ),
    ];
    for (product, quantity, reason, completed, compensated) in cases {
        let order = shop.order(&[(product, quantity)]).await;
        assert_eq!(shop.fulfil(&order).await, "Failed", "{reason}");
        let saga = shop
            .get(&format!("/orders/{order}/saga"))
            .await
            .expect(200)
            .body;
        assert_eq!(saga["failure_reason"], reason);
        assert_eq!(saga["completed_steps"], completed, "{reason}");
        assert_eq!(saga["compensated_steps"], compensated, "{reason}");
        let cancelled = shop.get(&format!("/orders/{order}")).await.expect(200).body;
        assert_eq!(cancelled["state"], "Cancelled");
        assert_eq!(
            cancelled["cancellation_reason"],
            format!("Saga failed: {reason}")
        );
    }
    assert_eq!(shop.available("A").await, 2_000);
    assert_eq!(
        (shop.ledger.taken(), shop.ledger.shipped()),
        ((0, 0), (0, 0))
    );
}

pub(crate) async fn an_order_is_fulfilled_once(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 10).await;
    let order = shop.order(&[("A", 1)]).await;
    let path = format!("/orders/{order}/fulfill");
    let at_once = join_all((0..6).map(|_| shop.post(&path, json!({})))).await;
    let started = at_once.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(started, 1, "{at_once:?}");
    assert!(
        at_once
            .iter()
            .all(|answer| [200, 400, 409].contains(&answer.status))
    );
    until(async || shop.state(&order).await == "Completed").await;
    let late = shop.post(&path, json!({})).await.expect(400);
    assert_eq!(
        late.error(),
        "the order is Completed and cannot be fulfilled"
    );
    assert_eq!(
        (shop.available("A").await, shop.ledger.taken()),
        (9, (1_000, 1))
    );

    let empty = shop.order(&[]).await;
    shop.post(&format!("/orders/{empty}/fulfill"), json!({}))
        .await
        .expect(400);
    // A submitted order is fulfilled too.
    let submitted = shop.order(&[("A", 1)]).await;
    shop.post(&format!("/orders/{submitted}/submit"), json!({}))
        .await
        .expect(200);
    assert_eq!(shop.fulfil(&submitted).await, "Completed");
}

pub(crate) async fn the_last_pieces_are_reserved_once(ground: Ground) {
    const PIECES: usize = 7;
    const ORDERS: usize = 16;

    let shop = ground.with("FULFILMENT_RUNNERS", "6").start().await;
    for product in ["A", "B"] {
        shop.stock(product, PIECES as u32).await;
    }
    // In both orders of the products, which they compete for.
    let items = |n: usize| {
        if n.is_multiple_of(2) {
            [("A", 1), ("B", 1)]
        } else {
            [("B", 1), ("A", 1)]
        }
    };
    let orders = join_all((0..ORDERS).map(async |n| shop.order(&items(n)).await)).await;
    let ended = join_all(orders.iter().map(|order| shop.fulfil(order))).await;
    let count = |state: &str| ended.iter().filter(|ended| *ended == state).count();
    assert_eq!(
        (count("Completed"), count("Failed")),
        (PIECES, ORDERS - PIECES),
        "{ended:?}"
    );
    assert_eq!(
        (shop.available("A").await, shop.available("B").await),
        (0, 0)
    );
    assert_eq!(shop.ledger.shipped(), (2 * PIECES as u64, PIECES));
    assert_eq!(shop.ledger.taken(), (2_000 * PIECES as u64, PIECES));
}
