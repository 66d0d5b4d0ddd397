//! [`OverHttp`]: partners that are other services, such as the stub.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Answer, Carrier, Payments, Unavailable};
use crate::domain::{Money, OrderId};

/// How often a partner is asked before the fulfilment is given back, to be tried again later.
const ATTEMPTS: u32 = 3;
/// How long to wait before it is asked again; twice as long before the time after.
const PAUSE: Duration = Duration::from_millis(50);

/// A payment provider and a carrier behind HTTP.
#[derive(Debug, Clone)]
pub struct OverHttp {
    client: Client,
    base: String,
}

impl OverHttp {
    /// The partners at this address, such as `http://127.0.0.1:4000`. An answer that takes longer
    /// than `timeout` counts as none.
    ///
    /// # Errors
    ///
    /// The HTTP client cannot be made.
    pub fn new(base: &str, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(timeout).build()?;
        Ok(Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks until there is an answer. The key makes sure that it is done once.
    async fn ask<T: DeserializeOwned>(
        &self,
        partner: &'static str,
        path: String,
        key: String,
        body: impl Serialize,
    ) -> Result<T, Unavailable> {
        let mut attempt = 1;
        loop {
            let error = match self.ask_once(&path, &key, &body).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if attempt == ATTEMPTS {
                return Err(Unavailable {
                    partner,
                    source: error.into(),
                });
            }
            tokio::time::sleep(PAUSE * (1 << attempt)).await;
            attempt += 1;
        }
    }

    async fn ask_once<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<T, reqwest::Error> {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.header("idempotency-key", key).json(body);
        let response = request.send().await?.error_for_status()?;
        response.json().await
    }
}

impl Payments for OverHttp {
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let path = format!("/payments/{order}/charge");
        let body = json!({ "amount_cents": amount.cents() });
        self.ask(
            "the payment provider",
            path,
            format!("charge-{order}"),
            body,
        )
        .boxed()
    }

    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        let path = format!("/payments/{order}/refund");
        self.ask(
            "the payment provider",
            path,
            format!("refund-{order}"),
            json!({}),
        )
        .boxed()
    }
}

impl Carrier for OverHttp {
    fn book(&self, order: OrderId, pieces: u64) -> BoxFuture<'_, Result<Answer, Unavailable>> {
        let path = format!("/shipments/{order}/book");
        let body = json!({ "pieces": pieces });
        self.ask("the carrier", path, format!("book-{order}"), body)
            .boxed()
    }

    fn withdraw(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>> {
        let path = format!("/shipments/{order}/withdraw");
        self.ask("the carrier", path, format!("withdraw-{order}"), json!({}))
            .boxed()
    }
}
