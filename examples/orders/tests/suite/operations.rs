//! What those who run the service use.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Ground, answer, until};

pub(crate) async fn the_service_shows_its_health_metrics_and_document(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 1).await;
    let order = shop.order(&[("A", 1)]).await;
    shop.fulfil(&order).await;
    assert_eq!(
        shop.get("/health").await.expect(200).body,
        json!({ "status": "ok" })
    );
    assert_eq!(
        shop.get("/ready").await.expect(200).body,
        json!({ "status": "ready" })
    );

    let shown = async || shop.get("/metrics").await.expect(200);
    until(async || shown().await.text.contains("\nsaga_completed ")).await;
    let metrics = shown().await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    for name in [
        "commands_executed",
        "events_appended",
        "saga_executions_total",
        "saga_duration_seconds_bucket",
        "http_requests_total{method=\"POST\",route=\"/orders\",status=\"201\"}",
        "eventcore_executions_total{command=\"ReserveStock\",outcome=\"written\"}",
    ] {
        assert!(metrics.text.contains(name), "{name}: {}", metrics.text);
    }

    let document = shop.get("/openapi.json").await.expect(200).body;
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/orders",
        "/orders/{id}",
        "/orders/{id}/fulfill",
        "/live",
        "/metrics",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let refused = &document["paths"]["/orders"]["post"]["responses"]["400"]["content"];
    assert!(
        refused.get("application/problem+json").is_some(),
        "{refused}"
    );
    let page = shop.get("/").await.expect(200);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{page:?}"
    );
    let again = shop
        .request(Method::GET, "/")
        .header("if-none-match", page.header("etag"));
    let again = answer(again).await.expect(304);
    for answer in [page, again] {
        let policy = answer.header("content-security-policy");
        for directive in [
            "default-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|one| one == directive), "{policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
}

pub(crate) async fn sample_data_fills_the_shop(ground: Ground) {
    let shop = ground.start().await;
    let seeded = shop.post("/seed", json!({})).await.expect(200);
    assert_eq!(seeded.body, json!({ "products": 10, "orders": 12 }));
    // A list that waits for this position has everything.
    let position = seeded.header("event-position");
    let all = shop
        .request(Method::GET, "/orders?view=all")
        .header("min-position", position);
    assert_eq!(answer(all).await.body.as_array().map(Vec::len), Some(12));
    let settled = async || {
        let orders = shop.get("/statistics").await.expect(200).body["orders"].clone();
        let ended: Vec<Value> = ["Completed", "Cancelled"]
            .map(|state| orders[state].clone())
            .into();
        ended
            .iter()
            .map(|count| count.as_u64().unwrap())
            .sum::<u64>()
            == 8
    };
    until(settled).await;
}

pub(crate) async fn requests_under_way_are_answered_before_the_end(ground: Ground) {
    // Nobody fulfils, so the request waits its whole time, or until the service ends.
    let shop = ground.with("FULFILMENT_RUNNERS", "0").start().await;
    let order = shop.order(&[("A", 1)]).await;
    let path = format!("/orders/{order}/fulfill");
    let (fulfil, live) = (
        tokio::spawn(shop.request(Method::POST, &path).send()),
        shop.request(Method::GET, "/live").send().await.unwrap(),
    );
    let saga = format!("/orders/{order}/saga");
    until(async || shop.get(&saga).await.body["state"] == "Running").await;
    tokio::time::timeout(Duration::from_secs(60), shop.stop())
        .await
        .expect("it does not end");
    let answer = fulfil.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["saga_state"], "Running");
    live.text().await.unwrap();
}
