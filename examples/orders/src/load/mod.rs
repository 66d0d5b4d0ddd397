//! Customers who order as fast as they are served: `orders load`.

mod customer;
mod report;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Client;
use serde_json::json;

pub use report::Report;

use customer::Customer;

/// How many products they order.
const PRODUCTS: usize = 20;
/// How many pieces of each arrive before.
const PIECES: u32 = 1_000_000;

/// What to put the service under.
#[derive(Debug, Clone)]
pub struct Load {
    /// Its address, such as `http://127.0.0.1:3000`.
    pub url: String,
    /// How many customers order at the same time.
    pub customers: usize,
    /// For how long.
    pub duration: Duration,
}

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum LoadError {
    #[error("the service at {url} does not answer")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("a customer ended too early")]
    Task(#[from] tokio::task::JoinError),
    #[error("the progress cannot be shown")]
    Bar(#[from] indicatif::style::TemplateError),
    #[error("the report cannot be written")]
    Output(#[from] io::Error),
}

impl Load {
    /// Puts the service under load and reports what it answered.
    ///
    /// # Errors
    ///
    /// The service does not answer.
    pub async fn run(&self) -> Result<Report, LoadError> {
        let client = Client::new();
        self.fill_the_stock(&client).await?;
        let before = self.conflicts(&client).await?;
        let bar = ProgressBar::new(self.duration.as_millis().try_into().unwrap_or(u64::MAX));
        bar.set_style(ProgressStyle::with_template("{bar:40} {msg}")?);

        let start = Instant::now();
        let customers = (0..self.customers).map(|_| {
            let customer = Customer::new(client.clone(), self.url.clone(), bar.clone());
            tokio::spawn(customer.order_until(start, self.duration))
        });
        let mut orders = Vec::new();
        for customer in customers.collect::<Vec<_>>() {
            orders.extend(customer.await?);
        }
        let took = start.elapsed();
        bar.finish_and_clear();
        let conflicts = self.conflicts(&client).await?.saturating_sub(before);
        Ok(Report {
            customers: self.customers,
            took,
            orders,
            conflicts,
        })
    }

    async fn fill_the_stock(&self, client: &Client) -> Result<(), LoadError> {
        for product in 0..PRODUCTS {
            let url = format!("{}/inventory/{}/receive", self.url, product_id(product));
            let body = json!({ "product_name": format!("Load {product}"), "quantity": PIECES });
            let sent = client.post(url).json(&body).send().await;
            let answered = sent.and_then(reqwest::Response::error_for_status);
            answered.map_err(|source| self.unreachable(source))?;
        }
        Ok(())
    }

    /// How many version conflicts the service has met, and solved by deciding again.
    async fn conflicts(&self, client: &Client) -> Result<u64, LoadError> {
        let text = async {
            client
                .get(format!("{}/metrics", self.url))
                .send()
                .await?
                .text()
                .await
        };
        let text = text.await.map_err(|source| self.unreachable(source))?;
        let name = "eventcore_version_conflicts_total";
        let counts = text.lines().filter(|line| line.starts_with(name));
        Ok(counts
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum())
    }

    fn unreachable(&self, source: reqwest::Error) -> LoadError {
        LoadError::Unreachable {
            url: self.url.clone(),
            source,
        }
    }
}

/// A product that only load generators order.
fn product_id(number: usize) -> Arc<str> {
    format!("LOAD-{number:02}").into()
}
