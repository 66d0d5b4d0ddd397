//! Idempotency keys, entity tags, and the ids of requests.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Ground, Running, answer, item};

async fn post_with(shop: &Running, path: &str, header: (&str, &str), body: &Value) -> Answer {
    let request = shop.request(Method::POST, path).header(header.0, header.1);
    answer(request.json(body)).await
}

pub(crate) async fn a_request_with_a_key_happens_once(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 5).await;
    let key = ("idempotency-key", "create-1");
    let body = json!({ "items": [item("A", 1)] });
    let first = post_with(&shop, "/orders", key, &body).await.expect(201);
    let second = post_with(&shop, "/orders", key, &body).await.expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            second.header("idempotency-replayed")
        ),
        ("", "true")
    );
    let id = first.body["order_id"].as_str().unwrap();
    assert_eq!(shop.get(&format!("/orders/{id}")).await.body["version"], 2);

    // A key belongs to what is asked of which resource; that of another request is another.
    for (path, key) in [("submit", "submit-1"), ("fulfill", "fulfill-1")] {
        let path = format!("/orders/{id}/{path}");
        let key = ("idempotency-key", key);
        let first = post_with(&shop, &path, key, &json!({})).await.expect(200);
        let second = post_with(&shop, &path, key, &json!({})).await.expect(200);
        assert_eq!(first.body["saga_state"], second.body["saga_state"]);
        assert_eq!(second.header("idempotency-replayed"), "true");
    }
    assert_eq!(
        (shop.state(id).await.as_str(), shop.available("A").await),
        ("Completed", 4)
    );
}

pub(crate) async fn requests_with_one_key_at_once_make_one_order(ground: Ground) {
    let shop = ground.start().await;
    let body = json!({ "items": [item("A", 1)] });
    let requests = (0..8).map(|_| post_with(&shop, "/orders", ("idempotency-key", "one"), &body));
    let answers: Vec<_> = join_all(requests).await;
    let ids: std::collections::HashSet<_> = answers
        .into_iter()
        .map(|answer| answer.expect(201).body["order_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        shop.get("/orders")
            .await
            .expect(200)
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

pub(crate) async fn a_key_is_not_used_for_two_requests(ground: Ground) {
    let shop = ground.start().await;
    let key = ("idempotency-key", "two");
    let id = post_with(&shop, "/orders", key, &json!({ "items": [item("A", 1)] })).await;
    let id = id.expect(201).body["order_id"].as_str().unwrap().to_owned();
    let other = post_with(&shop, "/orders", key, &json!({ "items": [item("A", 2)] })).await;
    assert_eq!(other.expect(422).body["code"], "key_reused");
    post_with(&shop, &format!("/orders/{id}/submit"), key, &json!({}))
        .await
        .expect(422);
}

pub(crate) async fn an_order_is_changed_at_the_version_that_the_caller_knows(ground: Ground) {
    let shop = ground.start().await;
    let id = shop.order(&[("A", 1)]).await;
    let path = format!("/orders/{id}");
    let tag = shop.get(&path).await.expect(200).header("etag").to_owned();
    assert_eq!(tag, "\"2\"");
    for known in [tag.as_str(), "W/\"2\"", "\"1\", \"2\"", "*"] {
        let request = shop
            .request(Method::GET, &path)
            .header("if-none-match", known);
        answer(request).await.expect(304);
    }
    let request = shop
        .request(Method::GET, &path)
        .header("if-none-match", "\"1\"");
    answer(request).await.expect(200);

    let (items, body) = (format!("{path}/items"), item("B", 1));
    let changed = post_with(&shop, &items, ("if-match", &tag), &body)
        .await
        .expect(200);
    assert_eq!(changed.header("etag"), "\"3\"");
    let late = post_with(&shop, &items, ("if-match", &tag), &body)
        .await
        .expect(412);
    assert_eq!(late.error(), "the order is at version 3, not 2");
    post_with(&shop, &items, ("if-match", "*"), &body)
        .await
        .expect(200);
    post_with(&shop, &items, ("if-match", "new"), &body)
        .await
        .expect(400);
    let (submit, fulfill) = (format!("{path}/submit"), format!("{path}/fulfill"));
    post_with(&shop, &fulfill, ("if-match", &tag), &json!({}))
        .await
        .expect(412);
    post_with(&shop, &submit, ("if-match", "\"4\""), &json!({}))
        .await
        .expect(200);
}

pub(crate) async fn the_id_of_a_request_is_the_correlation_id_of_its_events(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 1).await;
    let order = shop.order(&[("A", 1)]).await;
    let id = "0199a1b2-0000-7000-8000-000000000def";
    let path = format!("/orders/{order}/fulfill");
    let answer = post_with(&shop, &path, ("x-request-id", id), &json!({}))
        .await
        .expect(200);
    assert_eq!(answer.header("x-request-id"), id);

    // Also of those that the process manager writes later.
    let events = shop
        .get(&format!("/orders/{order}/events"))
        .await
        .expect(200)
        .body;
    let of_request = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["correlation_id"] == id);
    let types: Vec<_> = of_request
        .map(|event| event["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "OrderSubmitted",
            "OrderReserved",
            "OrderProcessing",
            "OrderCompleted"
        ]
    );
}
