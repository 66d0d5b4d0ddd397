//! What the read models show.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Ground, Running, answer, item, until};

pub(crate) async fn a_list_includes_what_was_written_before(ground: Ground) {
    let shop = ground.start().await;
    for n in 1..=20 {
        let created = shop
            .post("/orders", json!({ "items": [item("A", 1)] }))
            .await
            .expect(201);
        let list = match n % 2 {
            // Everything that was committed before, or everything up to a position.
            0 => shop.get("/orders").await,
            _ => {
                let position = created.header("event-position");
                answer(
                    shop.request(Method::GET, "/orders")
                        .header("min-position", position),
                )
                .await
            }
        };
        let list = list.expect(200).body;
        assert_eq!(list.as_array().unwrap().len(), n);
        assert_eq!(
            list[0]["id"], created.body["order_id"],
            "the newest comes first"
        );
    }
    let request = shop
        .request(Method::GET, "/orders")
        .header("min-position", "0");
    answer(request).await.expect(200);
}

pub(crate) async fn orders_are_listed_in_pages(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 100).await;
    let customer = "0199a1b2-0000-7000-8000-000000000001";
    let mut all = Vec::new();
    for n in 0..7 {
        let mut body = json!({ "items": [item("A", 1)] });
        if n % 2 == 0 {
            body["customer_id"] = json!(customer);
        }
        let created = shop.post("/orders", body).await.expect(201);
        all.push(created.body["order_id"].as_str().unwrap().to_owned());
    }
    shop.fulfil(&all[0]).await;
    let cancel = json!({ "reason": "x" });
    shop.post(&format!("/orders/{}/cancel", all[1]), cancel)
        .await
        .expect(200);
    all.reverse();

    assert_eq!(pages(&shop, "/orders?view=all&limit=3").await, all);
    assert_eq!(pages(&shop, "/orders?limit=2").await, all[..5]);
    assert_eq!(pages(&shop, "/orders?view=history&limit=1").await, all[5..]);
    assert_eq!(
        pages(&shop, "/orders?view=all&state=Completed").await,
        all[6..]
    );
    assert_eq!(
        pages(&shop, "/orders?state=Completed").await,
        Vec::<String>::new()
    );
    let theirs: Vec<_> = all.iter().step_by(2).cloned().collect();
    let path = format!("/orders?view=all&limit=2&customer_id={customer}");
    assert_eq!(pages(&shop, &path).await, theirs);
}

/// The ids on all pages.
async fn pages(shop: &Running, first: &str) -> Vec<String> {
    let (mut ids, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = next {
        let page = shop.get(&path).await.expect(200);
        let orders = page.body.as_array().unwrap();
        ids.extend(
            orders
                .iter()
                .map(|order| order["id"].as_str().unwrap().to_owned()),
        );
        let link = page
            .header("link")
            .strip_prefix('<')
            .and_then(|link| link.split_once('>'));
        next = link.map(|(path, _)| path.to_owned());
    }
    ids
}

pub(crate) async fn customers_and_products_are_counted(ground: Ground) {
    let shop = ground.start().await;
    let [ada, bob] = [1, 2].map(|n| format!("0199a1b2-0000-7000-8000-00000000000{n}"));
    shop.stock("A", 10).await;
    shop.stock("B", 2).await;
    let order = async |customer: &str, items: &[Value]| {
        let body = json!({ "customer_id": customer, "items": items });
        let created = shop.post("/orders", body).await.expect(201);
        created.body["order_id"].as_str().unwrap().to_owned()
    };
    let first = order(&ada, &[item("A", 2), item("B", 1)]).await;
    let second = order(&ada, &[item("B", 5)]).await;
    let third = order(&bob, &[item("A", 1)]).await;
    assert_eq!(shop.fulfil(&first).await, "Completed");
    assert_eq!(shop.fulfil(&second).await, "Failed");

    let customers = shop.get("/customers").await.expect(200).body;
    assert_eq!(
        customers,
        json!([
            { "customer_id": ada, "total_orders": 2, "active_orders": 0, "completed_orders": 1,
              "cancelled_orders": 1, "total_spent_cents": 3_000, "order_ids": [first, second] },
            { "customer_id": bob, "total_orders": 1, "active_orders": 1, "completed_orders": 0,
              "cancelled_orders": 0, "total_spent_cents": 0, "order_ids": [third] },
        ])
    );
    assert_eq!(
        shop.get(&format!("/customers/{ada}"))
            .await
            .expect(200)
            .body,
        customers[0]
    );
    let by_orders = shop
        .get("/customers?sort=orders&limit=1")
        .await
        .expect(200)
        .body;
    assert_eq!(by_orders, json!([customers[0]]));

    let products = shop.get("/inventory").await.expect(200).body;
    assert_eq!(
        products,
        json!([
            { "product_id": "A", "product_name": "a", "available": 8, "total_quantity_ordered": 3,
              "quantity_in_active_orders": 1, "quantity_reserved": 0, "quantity_completed": 2,
              "total_revenue_cents": 2_000, "order_count": 2 },
            { "product_id": "B", "product_name": "b", "available": 1, "total_quantity_ordered": 1,
              "quantity_in_active_orders": 0, "quantity_reserved": 0, "quantity_completed": 1,
              "total_revenue_cents": 1_000, "order_count": 1 },
        ])
    );
    for sort in ["demand", "revenue", "name"] {
        let sorted = shop
            .get(&format!("/inventory?sort={sort}"))
            .await
            .expect(200)
            .body;
        assert_eq!(sorted, products, "{sort}");
    }
    assert_eq!(shop.get("/inventory/B").await.expect(200).body, products[1]);

    let mut statistics = shop.get("/statistics").await.expect(200).body;
    assert!(statistics["position"].as_u64().unwrap() > 0);
    statistics["position"] = json!(0);
    let orders =
        json!({ "Draft": 1, "Reserved": 0, "Processing": 0, "Completed": 1, "Cancelled": 1 });
    assert_eq!(
        statistics,
        json!({ "orders": orders, "customers": 2, "products": 2, "revenue_cents": 3_000, "position": 0 })
    );
}

pub(crate) async fn a_rebuild_changes_nothing_and_is_not_noticed(ground: Ground) {
    let shop = ground.start().await;
    shop.post("/seed", json!({ "orders": 16 }))
        .await
        .expect(200);
    let is_quiet = async || {
        let orders = shop.get("/statistics").await.expect(200).body["orders"].clone();
        orders["Draft"] == 4 && orders["Reserved"] == 0 && orders["Processing"] == 0
    };
    until(is_quiet).await;
    let everything = async || {
        let mut shown = Vec::new();
        for path in ["/orders?view=all", "/customers", "/inventory"] {
            let request = shop.request(Method::GET, path).header("min-position", "0");
            shown.push(answer(request).await.expect(200).body);
        }
        shown
    };
    let before = everything().await;
    shop.post("/read-models/rebuild", json!({}))
        .await
        .expect(202);
    let rebuilt = async || {
        assert_eq!(everything().await, before, "while it runs");
        shop.get("/read-models").await.expect(200).body["rebuilding"] == false
    };
    until(rebuilt).await;
    assert_eq!(everything().await, before);
    // And it goes on.
    let order = shop.order(&[("A", 1)]).await;
    assert_eq!(shop.get("/orders").await.expect(200).body[0]["id"], order);
}
