//! What is refused, route by route.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Ground, answer, item};

/// An order that does not exist.
const NOBODY: &str = "0199a1b2-0000-7000-8000-00000000dead";

pub(crate) async fn every_route_says_what_is_wrong_with_a_request(ground: Ground) {
    let shop = ground.with("BODY_LIMIT_BYTES", "2048").start().await;
    let with = |field: &str, value: Value| {
        let mut wrong = item("A", 1);
        wrong[field] = value;
        json!({ "items": [wrong] })
    };
    let order = json!({ "items": [] });
    let many: Vec<_> = (0..30).map(|n| item(&format!("P-{n}"), 1)).collect();
    let key = "k".repeat(201);
    let cases = [
        // Method, path, header, body, status.
        ("POST", "/orders", None, with("quantity", json!(0)), 400),
        ("POST", "/orders", None, with("quantity", json!(-1)), 400),
        ("POST", "/orders", None, with("quantity", json!(1.5)), 400),
        (
            "POST",
            "/orders",
            None,
            with("quantity", json!(1_000_001)),
            400,
        ),
        ("POST", "/orders", None, with("quantity", json!("one")), 400),
        (
            "POST",
            "/orders",
            None,
            with("unit_price_cents", json!(0)),
            400,
        ),
        (
            "POST",
            "/orders",
            None,
            with("unit_price_cents", json!(-5)),
            400,
        ),
        ("POST", "/orders", None, with("product_id", json!("")), 400),
        (
            "POST",
            "/orders",
            None,
            with("product_id", json!("a\u{0}b")),
            400,
        ),
        (
            "POST",
            "/orders",
            None,
            with("product_name", json!("n".repeat(201))),
            400,
        ),
        (
            "POST",
            "/orders",
            None,
            json!({ "items": [], "customer_id": "me" }),
            400,
        ),
        (
            "POST",
            "/orders",
            None,
            json!({ "items": [], "customer_id": uuid::Uuid::nil() }),
            400,
        ),
        ("POST", "/orders", None, json!({}), 400),
        ("POST", "/orders", None, json!([]), 400),
        (
            "POST",
            "/orders",
            None,
            json!({ "items": [["A", "a", 1, 1_000]] }),
            400,
        ),
        (
            "POST",
            "/orders",
            Some(("idempotency-key", "a b")),
            order.clone(),
            400,
        ),
        (
            "GET",
            "/orders",
            Some(("min-position", "+1")),
            json!({}),
            400,
        ),
        ("POST", "/orders", None, json!({ "items": many }), 413),
        (
            "POST",
            "/orders",
            Some(("content-type", "text/plain")),
            order.clone(),
            415,
        ),
        (
            "POST",
            "/orders",
            Some(("idempotency-key", "")),
            order.clone(),
            400,
        ),
        (
            "POST",
            "/orders",
            Some(("idempotency-key", &key)),
            order.clone(),
            400,
        ),
        ("POST", "/orders/nonsense/submit", None, json!({}), 400),
        ("POST", "/orders/nonsense/fulfill", None, json!({}), 400),
        (
            "POST",
            "/orders/nonsense/cancel",
            None,
            json!({ "reason": "x" }),
            400,
        ),
        ("POST", "/orders/nonsense/items", None, item("A", 1), 400),
        ("GET", "/orders/nonsense", None, json!({}), 400),
        ("GET", "/orders/nonsense/saga", None, json!({}), 400),
        ("GET", "/orders/nonsense/events", None, json!({}), 400),
        ("GET", "/orders?limit=0", None, json!({}), 400),
        ("GET", "/orders?limit=501", None, json!({}), 400),
        ("GET", "/orders?limit=x", None, json!({}), 400),
        ("GET", "/orders?view=old", None, json!({}), 400),
        ("GET", "/orders?state=Lost", None, json!({}), 400),
        ("GET", "/orders?customer_id=me", None, json!({}), 400),
        ("GET", "/orders?cursor=here", None, json!({}), 400),
        (
            "GET",
            "/orders",
            Some(("min-position", "soon")),
            json!({}),
            400,
        ),
        ("GET", "/customers?sort=name", None, json!({}), 400),
        ("GET", "/customers/me", None, json!({}), 400),
        ("GET", "/inventory?sort=size", None, json!({}), 400),
        (
            "POST",
            "/inventory/A/receive",
            None,
            json!({ "product_name": "a", "quantity": 0 }),
            400,
        ),
        (
            "POST",
            "/inventory/A/receive",
            None,
            json!({ "quantity": 1 }),
            400,
        ),
        ("POST", "/seed", None, json!({ "orders": 201 }), 400),
        ("POST", "/seed", None, json!([]), 400),
        ("POST", "/seed", None, json!(null), 400),
        ("GET", "/live", Some(("last-event-id", "x")), json!({}), 400),
        ("GET", "/live?order_id=x", None, json!({}), 400),
        ("DELETE", "/orders", None, json!({}), 405),
        ("PATCH", "/inventory", None, json!({}), 405),
    ];
    for (method, path, header, body, status) in cases {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = shop.request(method.clone(), path);
        if method != Method::GET {
            request = request
                .body(body.to_string())
                .header("content-type", "application/json");
        }
        if let Some((name, value)) = header {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            request = request.headers(headers);
        }
        let answer = answer(request).await;
        assert_eq!(
            answer.status, status,
            "{method} {path} {header:?} {body}: {}",
            answer.text
        );
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        assert_eq!(answer.body["status"], status);
    }
}

pub(crate) async fn what_does_not_exist_is_not_found(ground: Ground) {
    let shop = ground.start().await;
    let there = shop.order(&[("A", 1)]).await;
    let cancel = json!({ "reason": "x" });
    let cases = [
        ("GET", format!("/orders/{NOBODY}"), json!({})),
        ("GET", format!("/orders/{NOBODY}/saga"), json!({})),
        ("POST", format!("/orders/{NOBODY}/submit"), json!({})),
        ("POST", format!("/orders/{NOBODY}/fulfill"), json!({})),
        ("POST", format!("/orders/{NOBODY}/cancel"), cancel),
        ("POST", format!("/orders/{NOBODY}/items"), item("A", 1)),
        (
            "PUT",
            format!("/orders/{NOBODY}/items/A"),
            json!({ "quantity": 1 }),
        ),
        ("DELETE", format!("/orders/{NOBODY}/items/A"), json!({})),
        (
            "PUT",
            format!("/orders/{there}/items/B"),
            json!({ "quantity": 1 }),
        ),
        ("DELETE", format!("/orders/{there}/items/B"), json!({})),
        ("GET", format!("/customers/{NOBODY}"), json!({})),
        ("GET", "/inventory/nothing".to_owned(), json!({})),
        ("GET", "/no/such/page".to_owned(), json!({})),
    ];
    for (method, path, body) in cases {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = answer(shop.request(method, &path).json(&body)).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
    }
    assert_eq!(
        shop.get(&format!("/orders/{NOBODY}/events"))
            .await
            .expect(200)
            .body,
        json!([])
    );
}

pub(crate) async fn a_problem_has_its_details_and_the_id_of_its_request(ground: Ground) {
    let shop = ground.start().await;
    let id = "0199a1b2-0000-7000-8000-000000000abc";
    let request = shop
        .request(Method::GET, &format!("/orders/{NOBODY}"))
        .header("x-request-id", id);
    let problem = answer(request.header("origin", "http://elsewhere"))
        .await
        .expect(404);
    assert_eq!(
        problem.body,
        json!({
            "error": "there is no such order", "type": "about:blank", "title": "Not Found",
            "status": 404, "detail": "there is no such order", "code": "not_found", "request_id": id
        })
    );
    assert_eq!(problem.header("x-request-id"), id);
    assert_eq!(problem.header("access-control-allow-origin"), "*");
}
