//! For those who run the service: health, metrics, read models, sample data.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::bodies::position_header;
use super::body::Body;
use super::{App, Problem};
use crate::read_models::{ReadError, Status};
use crate::seed::{self, Seeded};

/// How long the store may take to show that it is there.
const READY: Duration = Duration::from_secs(2);

/// A word on the state of the service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Word {
    status: &'static str,
}

/// Says that the process runs.
#[utoipa::path(get, path = "/health", tag = "operations", responses((status = 200, body = Word)))]
pub(super) async fn health() -> Json<Word> {
    Json(Word { status: "ok" })
}

/// Says whether the store answers and the read models are kept up to date.
#[utoipa::path(get, path = "/ready", tag = "operations",
    responses((status = 200, body = Word), (status = 503, body = Problem)))]
pub(super) async fn ready(State(app): State<App>) -> Result<Json<Word>, Problem> {
    if app.shutdown.is_cancelled() {
        return Err(Problem::unavailable("the service is shutting down"));
    }
    match tokio::time::timeout(READY, app.read_models.checkpoint()).await {
        Ok(Ok(_)) => Ok(Json(Word { status: "ready" })),
        Ok(Err(error)) => Err(Problem::unavailable(error)),
        Err(_) => Err(Problem::unavailable("the store does not answer")),
    }
}

/// Shows the metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, content_type = "text/plain", body = String)))]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.render()).into_response()
}

/// Shows how far the read models are.
#[utoipa::path(get, path = "/read-models", tag = "operations",
    responses((status = 200, body = Status), (status = 503, body = Problem)))]
pub(super) async fn read_models(State(app): State<App>) -> Result<Json<Status>, Problem> {
    Ok(Json(app.read_models.status().await?))
}

/// Rebuilds the read models from the first event on, while they are read as before.
#[utoipa::path(post, path = "/read-models/rebuild", tag = "operations",
    responses((status = 202, body = Word), (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn rebuild(State(app): State<App>) -> Result<Response, Problem> {
    let rebuilt = app.read_models.rebuild().await;
    rebuilt.inspect_err(|error| match error {
        ReadError::Rebuilding => {}
        error => tracing::error!(%error, "the rebuild failed"),
    })?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Word {
            status: "rebuilding",
        }),
    )
        .into_response())
}

/// How much sample data to make.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SeedBody {
    /// How many orders; 12 by default.
    #[serde(default = "twelve")]
    #[schema(minimum = 0, maximum = 200)]
    orders: u32,
}

fn twelve() -> u32 {
    12
}

/// Fills the shop with sample data: stock, and orders in all states.
#[utoipa::path(post, path = "/seed", tag = "operations", request_body = Option<SeedBody>,
    responses((status = 200, body = Seeded), (status = 400, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn seed(
    State(app): State<App>,
    asked: Asked,
    body: Body<SeedBody>,
) -> Result<Response, Problem> {
    if body.value.orders > 200 {
        return Err(Problem::malformed("at most 200 orders are made at once"));
    }
    let orders = body.value.orders;
    let seeded = seed::seed(&app.store, orders, asked.correlation_id).await?;
    let headers = position_header(seeded.last_position);
    Ok((headers, Json(seeded)).into_response())
}
