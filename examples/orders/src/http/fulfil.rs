//! Fulfils orders, and shows how far that is.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use eventcore::{Filter, Subscribe};

use super::asked::Asked;
use super::bodies::{FulfilledBody, SagaBody, change_headers};
use super::params::OrderParam;
use super::{App, Problem};
use crate::commands::StartFulfilment;
use crate::domain::{FulfilmentEvent, FulfilmentState, OrderId};

/// Fulfils an order: submits it if necessary, and waits for the end.
#[utoipa::path(post, path = "/orders/{id}/fulfill", tag = "orders",
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header),
        ("Prefer" = Option<String>, Header, description = "`respond-async` does not wait")),
    responses(
        (status = 200, body = FulfilledBody, description = "It has ended, or takes longer"),
        (status = 202, body = FulfilledBody, description = "It has started"),
        (status = 400, body = Problem, description = "It is not a draft, or has no items"),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn fulfil(
    State(app): State<App>,
    OrderParam(id): OrderParam,
    asked: Asked,
) -> Result<Response, Problem> {
    let command = StartFulfilment::new(id)
        .once_for(asked.request(b""))
        .if_match(asked.if_match);
    let done = app.execute(&command, &asked).await?;
    let headers = change_headers(done.version_of(&id.stream()), &done, asked.is_replay(&done));
    let (status, saga_state) = match asked.respond_async {
        true => (StatusCode::ACCEPTED, app.known(id).await?.fulfilment.state),
        false => (
            StatusCode::OK,
            end(&app, id, app.settings.fulfil_wait).await?,
        ),
    };
    let body = FulfilledBody {
        saga_id: id.uuid(),
        saga_state,
    };
    Ok((status, headers, Json(body)).into_response())
}

/// The state in which a fulfilment ends; or its state when the time is over.
async fn end(app: &App, order: OrderId, wait: Duration) -> Result<FulfilmentState, Problem> {
    // What is behind this position is seen below, what is before it has been read by then.
    let position = app.store.safe_position().await?;
    let state = app.known(order).await?.fulfilment.state;
    if state.has_ended() {
        return Ok(state);
    }
    let filter = Filter::all().stream_prefix(order.fulfilment().as_str());
    let events = app
        .store
        .subscribe(Subscribe::after(position).filter(filter));
    let mut events = events.typed::<FulfilmentEvent>();
    let ended = async {
        loop {
            match events.next_event().await?.event {
                FulfilmentEvent::FulfilmentCompleted => break Ok(FulfilmentState::Completed),
                FulfilmentEvent::FulfilmentFailed { .. } => break Ok(FulfilmentState::Failed),
                _ => {}
            }
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(wait, ended) => match ended {
            Ok(ended) => ended.map_err(|error: eventcore::FollowError| Problem::unavailable(error)),
            Err(_) => Ok(app.known(order).await?.fulfilment.state),
        },
        () = app.shutdown.cancelled() => Ok(state),
    }
}

/// Shows how far the fulfilment of an order is. The saga of an order has the order's id.
#[utoipa::path(get, path = "/orders/{id}/saga", tag = "orders", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = SagaBody), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn saga(
    State(app): State<App>,
    OrderParam(id): OrderParam,
) -> Result<Json<SagaBody>, Problem> {
    let known = app.known(id).await?;
    match known.order {
        None => Err(Problem::not_found("there is no such saga")),
        Some(_) => Ok(Json(SagaBody::new(id, known.fulfilment))),
    }
}
