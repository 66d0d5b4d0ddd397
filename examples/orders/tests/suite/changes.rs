//! Orders are created and changed.

use reqwest::Method;
use serde_json::json;

use super::support::{Ground, answer, item};

pub(crate) async fn an_order_is_created_with_its_items_in_one_append(ground: Ground) {
    let shop = ground.start().await;
    let customer = "0199a1b2-0000-7000-8000-000000000001";
    let items = [item("A", 2), item("B", 1), item("A", 3)];
    let created = shop
        .post(
            "/orders",
            json!({ "customer_id": customer, "items": items }),
        )
        .await;
    let created = created.expect(201);
    assert_eq!(created.body["state"], "Draft");
    assert_eq!(created.header("etag"), "\"4\"");
    let id = created.body["order_id"].as_str().unwrap();

    let order = shop.get(&format!("/orders/{id}")).await.expect(200).body;
    assert_eq!(order["customer_id"], customer);
    assert_eq!(order["items"], json!([item("A", 5), item("B", 1)]));
    assert_eq!(
        (&order["total_cents"], &order["version"]),
        (&json!(6_000), &json!(4))
    );

    let events = shop
        .get(&format!("/orders/{id}/events"))
        .await
        .expect(200)
        .body;
    let events = events.as_array().unwrap();
    let types: Vec<_> = events
        .iter()
        .map(|event| event["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "OrderCreated",
            "ItemAdded",
            "ItemAdded",
            "ItemQuantityUpdated"
        ]
    );
    // One append: consecutive positions, one time.
    let first = events[0]["position"].as_u64().unwrap();
    for (event, position) in events.iter().zip(first..) {
        assert_eq!(event["position"], position);
        assert_eq!(event["timestamp"], events[0]["timestamp"]);
        assert_eq!(event["aggregate_id"], id);
    }
}

pub(crate) async fn a_wrong_item_leaves_nothing_behind(ground: Ground) {
    let shop = ground.start().await;
    let customer = "0199a1b2-0000-7000-8000-000000000002";
    for (field, value) in [("quantity", json!(0)), ("unit_price_cents", json!(0))] {
        let mut wrong = item("C", 1);
        wrong[field] = value;
        let items = [item("A", 1), item("B", 1), wrong];
        let body = json!({ "customer_id": customer, "items": items });
        shop.post("/orders", body).await.expect(400);
    }
    // Refused by the order itself, after it has accepted the first item.
    let mut dearer = item("A", 1);
    dearer["unit_price_cents"] = json!(1_001);
    let body = json!({ "customer_id": customer, "items": [item("A", 1), dearer] });
    let refused = shop.post("/orders", body).await.expect(400);
    assert_eq!(refused.error(), "the order has A at another price");
    shop.get(&format!("/customers/{customer}"))
        .await
        .expect(404);
}

pub(crate) async fn items_are_added_changed_and_removed(ground: Ground) {
    let shop = ground.start().await;
    let id = shop.order(&[("A", 1)]).await;
    let items = format!("/orders/{id}/items");
    let added = shop.post(&items, item("B", 2)).await.expect(200);
    assert_eq!(added.body["items"], json!([item("A", 1), item("B", 2)]));
    assert_eq!(added.header("etag"), "\"3\"");

    let put = |product: &str, quantity: u32| {
        let request = shop.request(Method::PUT, &format!("{items}/{product}"));
        answer(request.json(&json!({ "quantity": quantity })))
    };
    let changed = put("A", 7).await.expect(200);
    assert_eq!(changed.body["items"][0], item("A", 7));
    // The same quantity again is no event.
    assert_eq!(
        put("A", 7).await.expect(200).body["version"],
        changed.body["version"]
    );
    let emptied = put("A", 0).await.expect(200);
    assert_eq!(emptied.body["items"], json!([item("B", 2)]));
    put("A", 1).await.expect(404);

    let delete = || answer(shop.request(Method::DELETE, &format!("{items}/B")));
    assert_eq!(delete().await.expect(200).body["items"], json!([]));
    delete().await.expect(404);
}

pub(crate) async fn an_order_is_submitted_once(ground: Ground) {
    let shop = ground.start().await;
    let id = shop.order(&[("A", 2)]).await;
    let submit = format!("/orders/{id}/submit");
    let submitted = shop.post(&submit, json!({})).await.expect(200);
    assert_eq!(
        (&submitted.body["state"], &submitted.body["submitted"]),
        (&json!("Draft"), &json!(true))
    );
    let again = shop.post(&submit, json!({})).await.expect(409);
    assert_eq!(
        again.error(),
        "the order is submitted, so it cannot be submitted"
    );

    let empty = shop.order(&[]).await;
    let refused = shop
        .post(&format!("/orders/{empty}/submit"), json!({}))
        .await
        .expect(400);
    assert_eq!(refused.error(), "the order has no items");
}

pub(crate) async fn a_submitted_order_keeps_its_items(ground: Ground) {
    let shop = ground.start().await;
    let id = shop.order(&[("A", 2)]).await;
    shop.post(&format!("/orders/{id}/submit"), json!({}))
        .await
        .expect(200);
    shop.post(&format!("/orders/{id}/items"), item("B", 1))
        .await
        .expect(409);
    let remove = shop.request(Method::DELETE, &format!("/orders/{id}/items/A"));
    answer(remove).await.expect(409);
}

pub(crate) async fn an_order_is_cancelled(ground: Ground) {
    let shop = ground.start().await;
    let id = shop.order(&[("A", 2)]).await;
    let cancel = format!("/orders/{id}/cancel");
    let body = json!({ "reason": "no longer needed", "cancelled_by": "customer" });
    let cancelled = shop.post(&cancel, body.clone()).await.expect(200);
    assert_eq!(cancelled.body["state"], "Cancelled");
    assert_eq!(cancelled.body["cancellation_reason"], "no longer needed");
    shop.post(&cancel, body).await.expect(409);
    shop.post(&format!("/orders/{id}/submit"), json!({}))
        .await
        .expect(409);
    shop.post(&format!("/orders/{id}/fulfill"), json!({}))
        .await
        .expect(400);
}
