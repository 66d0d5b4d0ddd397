//! [`Customer`]: orders, has it fulfilled, and orders again.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{PRODUCTS, product_id};

/// One of many customers.
pub(super) struct Customer {
    client: Client,
    url: String,
    bar: ProgressBar,
}

/// What became of one order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ordered {
    /// When it was over, since the start.
    pub at: Duration,
    /// How long `POST /orders` took.
    pub created: Duration,
    /// How long it took from `POST /orders` to the end of the fulfilment.
    pub fulfilled: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is on its way.
    Completed,
    /// It was compensated.
    Failed,
    /// It took longer than the service waits.
    Running,
    /// The service refused a request for a conflict.
    Conflict,
    /// The service refused a request, or did not answer.
    Error,
}

impl Customer {
    pub(super) fn new(client: Client, url: String, bar: ProgressBar) -> Self {
        Self { client, url, bar }
    }

    /// Orders until the time is over.
    pub(super) async fn order_until(self, start: Instant, duration: Duration) -> Vec<Ordered> {
        let mut orders = Vec::new();
        while start.elapsed() < duration {
            let ordered = self.order(start).await;
            if ordered.outcome == Outcome::Error {
                // Not to be asked again at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            orders.push(ordered);
            self.bar
                .set_position(start.elapsed().as_millis().try_into().unwrap_or(u64::MAX));
            self.bar
                .set_message(format!("{:.0} s", start.elapsed().as_secs_f64()));
        }
        orders
    }

    async fn order(&self, start: Instant) -> Ordered {
        let begin = Instant::now();
        let created = self.create().await;
        let after_creation = begin.elapsed();
        let outcome = match created {
            Ok(order) => self.fulfil(&order).await.unwrap_or_else(|outcome| outcome),
            Err(outcome) => outcome,
        };
        Ordered {
            at: start.elapsed(),
            created: after_creation,
            fulfilled: begin.elapsed(),
            outcome,
        }
    }

    /// Up to three products, a few pieces of each.
    async fn create(&self) -> Result<String, Outcome> {
        let first = fastrand::usize(..PRODUCTS);
        let items = (first..first + fastrand::usize(1..=3)).map(|product| {
            json!({
                "product_id": &*product_id(product % PRODUCTS), "product_name": "Load",
                "quantity": fastrand::u32(1..=3), "unit_price_cents": 1_000
            })
        });
        let body = json!({ "items": items.collect::<Vec<_>>() });
        let created = self.post("/orders", &body).await?;
        created["order_id"]
            .as_str()
            .map(str::to_owned)
            .ok_or(Outcome::Error)
    }

    async fn fulfil(&self, order: &str) -> Result<Outcome, Outcome> {
        let ended = self
            .post(&format!("/orders/{order}/fulfill"), &json!({}))
            .await?;
        Ok(match ended["saga_state"].as_str() {
            Some("Completed") => Outcome::Completed,
            Some("Failed") => Outcome::Failed,
            _ => Outcome::Running,
        })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Outcome> {
        let sent = self
            .client
            .post(format!("{}{path}", self.url))
            .json(body)
            .send()
            .await;
        let response = sent.map_err(|_| Outcome::Error)?;
        match response.status() {
            StatusCode::CONFLICT => Err(Outcome::Conflict),
            status if status.is_success() => response.json().await.map_err(|_| Outcome::Error),
            _ => Err(Outcome::Error),
        }
    }
}
