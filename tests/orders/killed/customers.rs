//! Customers who create, change, submit, fulfil and cancel orders, and remember what was answered.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reqwest::Method;
use serde_json::{Value, json};

use super::asking::{Answer, Request, Shop};

/// How many products are ordered often. The last one of them is scarce.
pub(super) const PRODUCTS: usize = 8;
/// A product that nobody's bank pays for.
pub(super) const DEAR: usize = PRODUCTS;
/// Of a product that is not scarce.
pub(super) const PLENTY: u32 = 100_000;

/// An order, and what the application has said about it.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) key: String,
    pub(super) body: Value,
    pub(super) order: String,
    /// What it costs, as the last answer said.
    pub(super) total_cents: u64,
    /// How it must have ended, if an answer has said so.
    pub(super) ended: Option<&'static str>,
}

/// A customer who does one thing after the other.
pub(super) struct Customer {
    shop: Arc<Shop>,
    random: Rng,
    number: usize,
    requests: usize,
}

impl Customer {
    pub(super) fn new(shop: &Arc<Shop>, seed: u64, number: usize) -> Self {
        Self {
            shop: Arc::clone(shop),
            random: Rng::with_seed(seed ^ (number as u64 + 1) << 32),
            number,
            requests: 0,
        }
    }

    /// Orders until the shop closes, and brings the last order to its end.
    pub(super) async fn order_until_closing(mut self) -> Vec<Placed> {
        let mut orders = Vec::new();
        while self.shop.is_open() {
            let mut placed = self.create().await;
            self.change(&mut placed).await;
            self.end(&mut placed).await;
            orders.push(placed);
        }
        orders
    }

    async fn create(&mut self) -> Placed {
        let mut items: Vec<Value> = Vec::new();
        for _ in 0..self.random.usize(..4) {
            items.push(self.item());
        }
        let key = self.key();
        let customer = format!("00000000-0000-4000-8000-{:012}", self.number + 1);
        let body = json!({ "customer_id": customer, "items": items });
        let request = Request::once(key.clone(), "/orders", body.clone());
        let answer = match self.random.u32(..5) {
            // This customer clicks twice.
            0 => {
                let mut other = self.random.fork();
                let again = self.shop.ask(&request, &mut other);
                let (one, two) = tokio::join!(self.shop.ask(&request, &mut self.random), again);
                assert_eq!(one.body, two.body, "one key, two orders");
                one
            }
            _ => self.ask(&request).await,
        };
        let created = answer.expect(&[201]);
        let order = created.body["order_id"].as_str().unwrap().to_owned();
        let shown = self.ask(&Request::get(&format!("/orders/{order}"))).await;
        Placed {
            key,
            body,
            order,
            total_cents: total(&shown.expect(&[200])),
            ended: None,
        }
    }

    /// Changes items a few times; there is one in the end.
    async fn change(&mut self, placed: &mut Placed) {
        let path = format!("/orders/{}", placed.order);
        for _ in 0..self.random.usize(..3) {
            match self.random.u32(..4) {
                choice @ (0 | 1) => self.change_item(&path, choice == 0).await,
                _ => drop(self.add(&path).await.expect(&[200])),
            }
        }
        let mut shown = self.ask(&Request::get(&path)).await.expect(&[200]);
        if shown.body["items"].as_array().unwrap().is_empty() {
            shown = self.add(&path).await.expect(&[200]);
        }
        placed.total_cents = total(&shown);
        if self.random.bool() {
            let submitted = self.post(&format!("{path}/submit"), json!({})).await;
            assert_eq!(total(&submitted.expect(&[200])), placed.total_cents);
        }
    }

    /// Changes the quantity of an item or removes it, at the version that the customer has seen: a
    /// request that was not answered must not be carried out after later ones.
    async fn change_item(&mut self, order: &str, quantity: bool) {
        let shown = self.ask(&Request::get(order)).await.expect(&[200]).body;
        let product = product(self.random.usize(..PRODUCTS));
        let path = format!("{order}/items/{product}");
        let request = match quantity {
            true => {
                let body = json!({ "quantity": self.random.u32(..4) });
                Request::new(Method::PUT, &path, Some(body))
            }
            false => Request::new(Method::DELETE, &path, None),
        };
        let version = format!("\"{}\"", shown["version"]);
        let answer = self.ask(&request.with("if-match", version)).await;
        // There is no such item; or a request without an answer was carried out.
        answer.expect(&[200, 404, 412]);
    }

    /// Has the order fulfilled, or cancels it, or does both.
    async fn end(&mut self, placed: &mut Placed) {
        let path = format!("/orders/{}", placed.order);
        let (fulfil, cancel) = match self.random.u32(..10) {
            0 => (false, true),
            1..5 => (true, true),
            _ => (true, false),
        };
        if fulfil {
            let mut request = Request::once(self.key(), &format!("{path}/fulfill"), json!({}));
            if cancel || self.random.bool() {
                request = request.with("prefer", "respond-async".to_owned());
            }
            let answer = self.ask(&request).await.expect(&[200, 202]);
            placed.ended = match answer.body["saga_state"].as_str() {
                Some("Completed") => Some("Completed"),
                Some("Failed") => Some("Cancelled"),
                _ => None,
            };
        }
        if cancel {
            if fulfil {
                self.watch(&path).await;
            }
            let body = json!({ "reason": "changed my mind" });
            let answer = self.post(&format!("{path}/cancel"), body).await;
            match answer.expect(&[200, 409]).status {
                200 => placed.ended = Some("Cancelled"),
                _ => assert!(fulfil, "a draft can be cancelled"),
            }
        }
    }

    /// Looks until the fulfilment is at a step, while a partner is asked or has just answered. Not for
    /// ever: nobody may be there to fulfil.
    async fn watch(&mut self, order: &str) {
        let wanted = ["Draft", "Reserved", "Reserved", "Processing"][self.random.usize(..4)];
        for _ in 0..200 {
            let shown = self.ask(&Request::get(order)).await.expect(&[200]).body;
            let state = shown["state"].as_str().unwrap();
            if state == wanted || ["Completed", "Cancelled"].contains(&state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn add(&mut self, order: &str) -> Answer {
        let item = self.item();
        self.post(&format!("{order}/items"), item).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        let request = Request::once(self.key(), path, body);
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &Request) -> Answer {
        self.shop.ask(request, &mut self.random).await
    }

    fn key(&mut self) -> String {
        self.requests += 1;
        format!("customer-{}-{}", self.number, self.requests)
    }

    /// Pieces of a product, now and then more than the carrier takes.
    fn item(&mut self) -> Value {
        let quantity = match self.random.u32(..24) {
            0 => 101,
            _ => self.random.u32(1..5),
        };
        let number = match self.random.u32(..24) {
            0 => DEAR,
            // Everybody's favourite, so that its first book is full some time.
            1..10 => 0,
            _ => self.random.usize(..PRODUCTS),
        };
        json!({
            "product_id": product(number), "product_name": name(number), "quantity": quantity,
            "unit_price_cents": if number == DEAR { 1_000_001 } else { 199 + number }
        })
    }
}

pub(super) fn product(number: usize) -> String {
    format!("P-{number}")
}

pub(super) fn name(number: usize) -> String {
    format!("Product {number}")
}

fn total(answer: &Answer) -> u64 {
    answer.body["total_cents"].as_u64().unwrap()
}
