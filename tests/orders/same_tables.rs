//! Both projections make the same of the same events.

use reqwest::Method;
use serde_json::{Value, json};

use crate::ground;
use crate::suite::support::{Ground, Running, answer, item, until};

const PATHS: [&str; 6] = [
    "/orders?view=current&limit=500",
    "/orders?view=history&limit=500",
    "/customers?limit=500",
    "/customers?sort=orders",
    "/inventory?sort=name",
    "/inventory?sort=revenue",
];

async fn everything(shop: &Running) -> Vec<Value> {
    let mut shown = Vec::new();
    for path in PATHS {
        shown.push(shop.get(path).await.expect(200).body);
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_read_models_are_the_same_wherever_they_are_kept() {
    let ground = ground("client").await;
    let shop = ground.start().await;
    shop.post("/seed", json!({ "orders": 40 }))
        .await
        .expect(200);
    let order = shop
        .order(&[("SKU-001", 2), ("ODD \"1\"", 1), ("SKU-002", 3)])
        .await;
    let items = format!("/orders/{order}/items");
    let put = shop
        .request(Method::PUT, &format!("{items}/SKU-001"))
        .json(&json!({ "quantity": 7 }));
    answer(put).await.expect(200);
    answer(shop.request(Method::DELETE, &format!("{items}/SKU-002")))
        .await
        .expect(200);
    shop.post(&items, item("SKU-001", 1)).await.expect(200);
    shop.order(&[]).await;
    let settled = async || {
        let orders = shop.get("/statistics").await.expect(200).body["orders"].clone();
        let ended = ["Completed", "Cancelled"].map(|state| orders[state].as_u64().unwrap());
        ended.iter().sum::<u64>() == 30
    };
    until(settled).await;
    let by_client = everything(&shop).await;
    assert!(
        by_client
            .iter()
            .all(|rows| !rows.as_array().unwrap().is_empty())
    );
    shop.stop().await;

    // The server makes them from the first event on, and then the program again.
    for projections in ["server", "client"] {
        let ground = Ground::new(ground.store.clone()).with("PROJECTIONS", projections);
        let shop = ground.start().await;
        let status = shop.get("/read-models").await.expect(200).body;
        assert_eq!(status["runs_in"], projections);
        assert_eq!(everything(&shop).await, by_client, "{projections}");
        shop.stop().await;
    }
}
