//! [`Problem`]: each error of a command, as HTTP says it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use eventcore::{EventError, ExecuteError, InvalidValue, StoreError};
use serde_json::json;

use crate::change_task::Refused;

/// A status and a reason, as `application/problem+json`.
#[derive(Debug)]
pub struct Problem(pub StatusCode, pub String);

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        let status = match error.rejection::<Refused>() {
            Some(Refused::Unknown) => StatusCode::NOT_FOUND,
            Some(Refused::OtherVersion(_)) => StatusCode::PRECONDITION_FAILED,
            Some(_) => StatusCode::CONFLICT,
            None if error.is_version_conflict() => StatusCode::CONFLICT,
            None if error.is_retriable() => StatusCode::SERVICE_UNAVAILABLE,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match error.rejection::<Refused>() {
            Some(refused) => Self(status, refused.to_string()),
            None => Self(status, error.to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match error.is_retriable() {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<EventError> for Problem {
    fn from(error: EventError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<InvalidValue> for Problem {
    fn from(error: InvalidValue) -> Self {
        Self(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(status, detail) = self;
        let body = json!({"title": status.canonical_reason(), "status": status.as_u16(), "detail": detail});
        let kind = [("content-type", "application/problem+json")];
        (status, kind, Json(body).into_response().into_body()).into_response()
    }
}
