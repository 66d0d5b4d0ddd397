//! [`Shop`]: the application as its callers see it. Who gets no answer asks again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::suite::support::LIMIT;

/// Longer than the application takes for any answer.
pub(super) const PATIENT: Duration = Duration::from_secs(20);

/// The application, and what all callers share.
pub(super) struct Shop {
    client: Client,
    url: String,
    /// Nobody begins something new.
    pub(super) is_closing: AtomicBool,
    pub(super) unanswered: AtomicUsize,
    pub(super) conflicts: AtomicUsize,
    pub(super) unavailable: AtomicUsize,
}

/// A final answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) is_replay: bool,
}

/// A request that can be sent any number of times.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Shop {
    pub(super) fn new(url: String) -> Self {
        Self {
            client: Client::new(),
            url,
            is_closing: AtomicBool::new(false),
            unanswered: AtomicUsize::new(0),
            conflicts: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_closing.load(Relaxed)
    }

    /// Sends a request until there is an answer. Some callers lose patience at once, so that what
    /// they asked for may be done without an answer.
    pub(super) async fn ask(&self, request: &Request, random: &mut Rng) -> Answer {
        let begun = Instant::now();
        loop {
            let patience = match random.u32(..8) {
                0 => Duration::from_millis(random.u64(1..100)),
                _ => PATIENT,
            };
            if let Some(answer) = self.ask_once(request, patience).await {
                return answer;
            }
            assert!(
                begun.elapsed() < LIMIT,
                "{} {} is not answered",
                request.method,
                request.path
            );
            tokio::time::sleep(Duration::from_millis(random.u64(10..120))).await;
        }
    }

    /// The answer, unless it is missing or says to try again.
    pub(super) async fn ask_once(&self, request: &Request, patience: Duration) -> Option<Answer> {
        let url = format!("{}{}", self.url, request.path);
        let mut sent = self.client.request(request.method.clone(), url);
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let answered = async {
            let response = sent.timeout(patience).send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, response.text().await?))
        };
        let Ok((status, headers, text)) = answered.await else {
            self.unanswered.fetch_add(1, Relaxed);
            return None;
        };
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        match status {
            StatusCode::CONFLICT if body["code"] == "conflict" => {
                self.conflicts.fetch_add(1, Relaxed);
                None
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                self.unavailable.fetch_add(1, Relaxed);
                None
            }
            status => {
                let asked = format!("{} {}", request.method, request.path);
                assert!(!status.is_server_error(), "{asked}: {text}");
                Some(Answer {
                    status: status.as_u16(),
                    body,
                    is_replay: headers.contains_key("idempotency-replayed"),
                })
            }
        }
    }
}

impl Request {
    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, path, None)
    }

    pub(super) fn new(method: Method, path: &str, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            body,
            headers: Vec::new(),
        }
    }

    /// A request that happens once, however often it is sent.
    pub(super) fn once(key: String, path: &str, body: Value) -> Self {
        let request = Self::new(Method::POST, path, Some(body));
        request.with("idempotency-key", key)
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Answer {
    /// The answer, which has one of these statuses.
    #[track_caller]
    pub(super) fn expect(self, statuses: &[u16]) -> Self {
        assert!(statuses.contains(&self.status), "{self:?}");
        self
    }
}
