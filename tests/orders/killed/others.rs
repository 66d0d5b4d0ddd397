//! Who else uses the shop: the warehouse, and people who look at lists.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastrand::Rng;
use reqwest::Method;
use serde_json::json;

use super::asking::{PATIENT, Request, Shop};
use super::customers::{DEAR, PLENTY, PRODUCTS, name, product};

/// What the warehouse has sent of the scarce product, in pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sent {
    /// An answer says that it has arrived.
    pub(super) arrived: u64,
    /// There was no answer.
    pub(super) unknown: u64,
}

/// The scarce product.
pub(super) fn scarce() -> String {
    product(PRODUCTS - 1)
}

/// Fills the shop as soon as the application answers, before anybody is killed.
pub(super) async fn fill(shop: &Shop, random: &mut Rng) {
    shop.ask(&Request::get("/health"), random).await;
    for number in (0..PRODUCTS - 1).chain([DEAR]) {
        let body = json!({ "product_name": name(number), "quantity": PLENTY });
        let path = format!("/inventory/{}/receive", product(number));
        let request = Request::new(Method::POST, &path, Some(body));
        let answer = shop.ask_once(&request, PATIENT).await;
        answer.unwrap().expect(&[200]);
    }
}

/// Sends few pieces of the scarce product again and again, until the shop closes.
pub(super) async fn deliver(shop: Arc<Shop>, mut random: Rng) -> Sent {
    let mut sent = Sent {
        arrived: 0,
        unknown: 0,
    };
    let path = format!("/inventory/{}/receive", scarce());
    while shop.is_open() {
        let pieces = random.u64(1..6);
        let body = json!({ "product_name": name(PRODUCTS - 1), "quantity": pieces });
        let request = Request::new(Method::POST, &path, Some(body));
        match shop.ask_once(&request, PATIENT).await {
            Some(answer) => {
                answer.expect(&[200]);
                sent.arrived += pieces;
            }
            None => sent.unknown += pieces,
        }
        tokio::time::sleep(Duration::from_millis(random.u64(50..400))).await;
    }
    sent
}

const LISTS: [&str; 5] = [
    "/orders?view=all&limit=20",
    "/orders?view=history",
    "/customers",
    "/inventory?sort=revenue",
    "/statistics",
];

/// Looks at lists until the shop closes, and has the read models rebuilt now and then. The number of
/// orders that have ended never becomes less. Returns how often it has looked, and how many rebuilds
/// were begun.
pub(super) async fn look(shop: Arc<Shop>, mut random: Rng) -> (usize, usize) {
    let (mut looks, mut rebuilds, mut ended) = (0, 0, 0);
    while shop.is_open() {
        if random.u32(..15) == 0 {
            let rebuild = Request::new(Method::POST, "/read-models/rebuild", None);
            let answer = shop.ask_once(&rebuild, PATIENT).await;
            rebuilds += usize::from(answer.is_some());
        }
        let path = LISTS[random.usize(..LISTS.len())];
        let mut list = Request::get(path);
        if random.bool() {
            list = list.with("min-position", "0".to_owned());
        }
        if let Some(answer) = shop.ask_once(&list, PATIENT).await {
            let body = answer.expect(&[200]).body;
            looks += 1;
            if path == "/statistics" {
                let count = |state: &str| body["orders"][state].as_u64().unwrap();
                let now = count("Completed") + count("Cancelled");
                assert!(now >= ended, "{ended} orders had ended, now {now}");
                ended = now;
            }
        }
        tokio::time::sleep(Duration::from_millis(random.u64(20..200))).await;
    }
    (looks, rebuilds)
}

/// Closes the shop: what was begun is brought to its end.
pub(super) fn close(shop: &Shop) {
    shop.is_closing.store(true, Relaxed);
}
