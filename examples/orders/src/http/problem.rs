//! [`Problem`]: an error as the API answers it. Every error becomes one here.

use std::any::Any;
use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use eventcore::{EventError, ExecuteError, InvalidValue, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::OrderError;
use crate::read_models::ReadError;
use crate::seed::SeedError;

/// An error as the API answers it: problem details (RFC 9457), with `error` beside them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// What is wrong.
    #[schema(value_type = String)]
    error: Box<str>,
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong.
    #[schema(value_type = String)]
    detail: Box<str>,
    /// What is wrong, for programs.
    code: &'static str,
    /// The id of the request; [`observe`](super::observe) adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, what: impl Display) -> Self {
        let error: Box<str> = what.to_string().into();
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: error.clone(),
            error,
            code,
            request_id: None,
        }
    }

    /// 400: the request cannot be understood.
    pub(super) fn malformed(what: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", what)
    }

    /// 404.
    pub(super) fn not_found(what: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    pub(super) fn method_not_allowed() -> Self {
        let what = "the resource does not have this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", what)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let what = "a body must be application/json";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            what,
        )
    }

    /// 503: try again later.
    pub(super) fn unavailable(what: impl Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", what)
    }

    /// 409: something else is under way.
    pub(super) fn conflict(what: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", what)
    }

    /// 500. What it was is in the log, with the id of the request.
    fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = format!("{error:?}"), "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed",
        )
    }

    pub(super) fn of_body(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let what = "the body is too large";
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", what)
            }
            _ => Self::malformed(rejection.body_text()),
        }
    }

    /// The same, with the id of its request.
    pub(super) fn of_request(mut self, id: Uuid) -> Self {
        self.request_id = Some(id);
        self
    }
}

/// What a request that panicked answers.
pub(super) fn of_panic(_: Box<dyn Any + Send>) -> Response {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the server failed",
    )
    .into_response()
}

impl From<&OrderError> for Problem {
    fn from(error: &OrderError) -> Self {
        let (status, code) = match error {
            OrderError::NotFound | OrderError::ItemNotFound(_) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            OrderError::InvalidState { .. } => (StatusCode::CONFLICT, "invalid_state"),
            OrderError::NoItems | OrderError::NotReady(_) => (StatusCode::BAD_REQUEST, "not_ready"),
            OrderError::AlreadyCreated
            | OrderError::TooManyItems
            | OrderError::Quantity(_)
            | OrderError::OtherPrice(_) => (StatusCode::BAD_REQUEST, "malformed"),
            OrderError::OtherVersion { .. } => {
                (StatusCode::PRECONDITION_FAILED, "precondition_failed")
            }
            OrderError::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
        };
        Self::new(status, code, error)
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        if let Some(rejection) = error.rejection::<OrderError>() {
            return Self::from(rejection);
        }
        if error.is_version_conflict() {
            return Self::conflict("others changed the same at the same time; try again");
        }
        match error.is_retriable() || error.is_deadline() {
            true => Self::unavailable("the store does not answer; try again"),
            false => Self::internal(&error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.is_retriable() {
            true => Self::unavailable("the store does not answer; try again"),
            false => Self::internal(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Late => Self::unavailable("the read models are behind; try again"),
            ReadError::Rebuilding => Self::conflict("a rebuild is under way"),
            error => Self::internal(&error),
        }
    }
}

impl From<SeedError> for Problem {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::Execute(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<EventError> for Problem {
    fn from(error: EventError) -> Self {
        Self::internal(&error)
    }
}

impl From<InvalidValue> for Problem {
    fn from(error: InvalidValue) -> Self {
        Self::malformed(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let extension = self.clone();
        let mut response = (status, Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(extension);
        response
    }
}
