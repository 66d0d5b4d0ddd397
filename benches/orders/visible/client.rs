//! [`Client`]: orders, and looks whether the order is there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::accepted;
use super::running::Running;

/// What a client reads after it has ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The list of its customer's orders, which must have the order: `Min-Position` is the
    /// `Event-Position` of the answer to `POST`.
    UntilVisible,
    /// The same list as it is: `Min-Position` is 0.
    AsItIs,
    /// Nothing.
    Not,
}

/// One client.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    reading: Reading,
}

#[derive(Deserialize)]
struct Created {
    order_id: Uuid,
}

#[derive(Deserialize)]
struct Listed {
    id: Uuid,
}

impl Client {
    pub(super) fn new(running: &Running, reading: Reading) -> Self {
        Self {
            http: running.client.clone(),
            url: format!("{}/orders", running.url),
            reading,
        }
    }

    /// Orders until the time is over; returns how long each order took.
    pub(super) async fn order_until(self, end: Instant) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        while Instant::now() < end {
            let start = Instant::now();
            self.order().await?;
            took.push(start.elapsed());
        }
        Ok(took)
    }

    /// Two products for a new customer.
    async fn order(&self) -> Result<()> {
        let customer = Uuid::now_v7();
        // The products differ from order to order, as in a shop.
        let first = customer.as_u128() % 1_000;
        let items = [first, first + 1].map(|product| {
            json!({
                "product_id": format!("SKU-{product:04}"), "product_name": "Desk lamp",
                "quantity": 2, "unit_price_cents": 3_490
            })
        });
        let body = json!({ "customer_id": customer, "items": items });
        let answer = accepted(self.http.post(&self.url).json(&body)).await?;
        let position = answer.headers().get("event-position").cloned();
        let position = position.context("the service has written nothing")?;
        let created: Created = answer.json().await?;
        let minimum = match self.reading {
            Reading::UntilVisible => position,
            Reading::AsItIs => HeaderValue::from_static("0"),
            Reading::Not => return Ok(()),
        };
        let request = self
            .http
            .get(format!("{}?customer_id={customer}", self.url))
            .header("min-position", minimum);
        let listed: Vec<Listed> = accepted(request).await?.json().await?;
        let is_visible = listed.iter().any(|order| order.id == created.order_id);
        ensure!(
            is_visible || self.reading == Reading::AsItIs,
            "the order is not in the list"
        );
        Ok(())
    }
}
