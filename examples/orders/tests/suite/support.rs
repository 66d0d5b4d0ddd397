//! [`Ground`]: what a test starts services on. [`Running`]: a service and its caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use orders::config::Config;
use orders::outside::{Ledger, Outside};
use orders::service::Service;
use orders::store::Store;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// So that a slow machine does not fail a test.
pub(crate) const PATIENCE: [(&str, &str); 2] =
    [("FULFIL_WAIT_SECONDS", "120"), ("READ_WAIT_SECONDS", "120")];
/// Longer than anything takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// What a test starts services on: an empty store, and how the services are configured.
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) variables: Vec<(&'static str, &'static str)>,
}

/// A service that answers requests until it is dropped.
pub(crate) struct Running {
    pub(crate) ledger: Arc<Ledger>,
    base: String,
    client: Client,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// An answer of the service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Ground {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            variables: PATIENCE.to_vec(),
        }
    }

    /// Sets a variable of the configuration.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// A service whose partners always answer.
    pub(crate) async fn start(&self) -> Running {
        let ledger = Arc::new(Ledger::default());
        let outside = Outside {
            payments: ledger.clone(),
            carrier: ledger.clone(),
        };
        self.start_with(ledger, outside).await
    }

    /// A service with these partners.
    pub(crate) async fn start_with(&self, ledger: Arc<Ledger>, outside: Outside) -> Running {
        let config = Config::from_values(|name| {
            let mut found = self.variables.iter().rev().filter(|(one, _)| *one == name);
            found.next().map(|(_, value)| (*value).to_owned())
        });
        let config = config.ok().unwrap();
        let service = Service::start_with(&config, self.store.clone(), outside);
        let service = service.await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            let ended = async move { drop(ended.await) };
            service.serve(listener, ended).await.unwrap();
        });
        Running {
            ledger,
            base,
            client: Client::new(),
            end: Some(end),
            task,
        }
    }
}

impl Running {
    /// Where it answers, such as `http://127.0.0.1:40000`.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    /// A new order of these products, each with its quantity, at 10.00 a piece.
    pub(crate) async fn order(&self, items: &[(&str, u32)]) -> String {
        let items: Vec<_> = items
            .iter()
            .map(|(id, quantity)| item(id, *quantity))
            .collect();
        let created = self
            .post("/orders", json!({ "items": items }))
            .await
            .expect(201);
        created.body["order_id"].as_str().unwrap().to_owned()
    }

    /// Takes pieces of a product in.
    pub(crate) async fn stock(&self, product: &str, pieces: u32) {
        let body = json!({ "product_name": product.to_lowercase(), "quantity": pieces });
        self.post(&format!("/inventory/{product}/receive"), body)
            .await
            .expect(200);
    }

    /// Fulfils an order: the state in which that ends.
    pub(crate) async fn fulfil(&self, order: &str) -> String {
        let answer = self
            .post(&format!("/orders/{order}/fulfill"), json!({}))
            .await
            .expect(200);
        assert_eq!(answer.body["saga_id"], *order);
        answer.body["saga_state"].as_str().unwrap().to_owned()
    }

    /// The state of an order.
    pub(crate) async fn state(&self, order: &str) -> String {
        let order = self.get(&format!("/orders/{order}")).await.expect(200);
        order.body["state"].as_str().unwrap().to_owned()
    }

    /// How many pieces of a product are available.
    pub(crate) async fn available(&self, product: &str) -> i64 {
        let product = self.get(&format!("/inventory/{product}")).await.expect(200);
        product.body["available"].as_i64().unwrap()
    }

    /// Ends the service as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        drop(self.end.take());
        (&mut self.task).await.unwrap();
    }
}

/// A crash: nothing is brought to its end.
impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answer {
    /// The answer, which has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn error(&self) -> &str {
        self.body["error"].as_str().unwrap()
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response: Response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    Answer {
        status: status.as_u16(),
        headers,
        body,
        text,
    }
}

/// So many pieces of a product, at 10.00 a piece.
pub(crate) fn item(product: &str, quantity: u32) -> Value {
    json!({
        "product_id": product, "product_name": product.to_lowercase(),
        "quantity": quantity, "unit_price_cents": 1_000
    })
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let ends = Instant::now() + LIMIT;
    while !holds().await {
        assert!(Instant::now() < ends, "it does not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
