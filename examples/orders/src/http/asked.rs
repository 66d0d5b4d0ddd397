//! [`Asked`]: what the headers of a request ask for.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use eventcore::{CorrelationId, Execution, StreamVersion};
use uuid::Uuid;

use super::Problem;
use crate::commands::Request;
use crate::domain::RequestKey;

/// The id of a request, which [`observe`](super::observe) has put there.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestUuid(pub(super) Uuid);

/// What the headers of a change ask for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The id of the request is the correlation id of everything that it leads to.
    pub(super) correlation_id: CorrelationId,
    /// `If-Match`.
    pub(super) if_match: Option<StreamVersion>,
    /// `Prefer: respond-async`.
    pub(super) respond_async: bool,
    /// `Idempotency-Key`.
    key: Option<RequestKey>,
    /// What is asked of which resource.
    target: String,
}

impl Asked {
    /// The request as one that happens once, if it has a key.
    pub(super) fn request(&self, content: &[u8]) -> Option<Request> {
        let content = [self.target.as_bytes(), b"\n", content].concat();
        self.key.as_ref().map(|key| Request::new(key, &content))
    }

    /// Whether the same request was handled before. The first time always writes an event.
    pub(super) fn is_replay(&self, done: &Execution) -> bool {
        self.key.is_some() && !done.wrote()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let RequestUuid(id) = parts
            .extensions
            .get()
            .copied()
            .unwrap_or(RequestUuid(Uuid::now_v7()));
        let headers = &parts.headers;
        let key = text(headers, "idempotency-key")?.map(|key| {
            match key.bytes().all(|byte| byte.is_ascii_graphic()) {
                true => RequestKey::new(key).map_err(Problem::malformed),
                false => Err(Problem::malformed("an idempotency key is visible ASCII")),
            }
        });
        let prefer = text(headers, "prefer")?.unwrap_or_default();
        Ok(Self {
            correlation_id: CorrelationId::from_uuid(id),
            if_match: if_match(headers)?,
            respond_async: prefer.split(',').any(|one| one.trim() == "respond-async"),
            key: key.transpose()?,
            target: format!("{} {}", parts.method, parts.uri.path()),
        })
    }
}

/// `"3"`, or `*` for any version.
fn if_match(headers: &HeaderMap) -> Result<Option<StreamVersion>, Problem> {
    match text(headers, "if-match")? {
        None | Some("*") => Ok(None),
        Some(tag) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let version = version.and_then(number).map(StreamVersion::new);
            let malformed =
                || Problem::malformed("If-Match must be one version, such as \"3\", or *");
            version.map(Some).ok_or_else(malformed)
        }
    }
}

/// A whole number as the document describes it: digits, and no sign.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// A header as text.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| Problem::malformed(format!("{name} is not ASCII")))?;
    Ok(Some(text))
}
