//! Creates, lists and shows orders.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use eventcore::Position;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::asked::{Asked, number, text};
use super::bodies::{CreatedOrder, EventBody, NewOrder, OrderBody, change_headers, etag};
use super::body::{Body, Object};
use super::params::{OrderParam, Params};
use super::{App, Problem};
use crate::commands::{ChangeOrder, Request};
use crate::domain::{CustomerId, Item, OrderCommand, OrderId, OrderState};
use crate::read_models::{Cursor, OrderQuery, OrderView};

/// Creates an order with its items, in one append.
#[utoipa::path(post, path = "/orders", tag = "orders", request_body = NewOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    responses(
        (status = 201, body = CreatedOrder),
        (status = 400, body = Problem, description = "A UUID, quantity or price is not valid"),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem, description = "The key was used for another request"),
        (status = 409, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create(
    State(app): State<App>,
    asked: Asked,
    body: Body<NewOrder>,
) -> Result<Response, Problem> {
    let request = asked.request(&body.bytes);
    let customer_id = body.value.customer_id.map(CustomerId::try_from).transpose();
    let customer_id = customer_id
        .map_err(Problem::malformed)?
        .unwrap_or_else(CustomerId::new);
    // The same request creates the same order.
    let id = request
        .as_ref()
        .map(Request::id)
        .map_or_else(OrderId::new, OrderId::of_request);

    let mut commands = vec![OrderCommand::CreateOrder {
        order_id: id,
        customer_id,
    }];
    for Object(item) in body.value.items {
        commands.push(OrderCommand::AddItem(Item::try_from(item)?));
    }
    let done = app
        .execute(&ChangeOrder::new(id, commands).once_for(request), &asked)
        .await?;
    let headers = change_headers(done.version_of(&id.stream()), &done, asked.is_replay(&done));
    let created = CreatedOrder {
        order_id: id.uuid(),
        state: OrderState::Draft,
    };
    Ok((StatusCode::CREATED, headers, Json(created)).into_response())
}

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Current ones (the default), those that have ended, or all.
    #[serde(default)]
    #[param(inline)]
    view: OrderView,
    /// Only those in this state.
    #[param(inline)]
    state: Option<OrderState>,
    /// Only those of this customer.
    customer_id: Option<Uuid>,
    /// 1 to 500; 100 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// From the `Link` of the page before.
    cursor: Option<String>,
}

/// Lists orders, the newest first.
#[utoipa::path(get, path = "/orders", tag = "orders",
    params(ListParams, ("Min-Position" = Option<u64>, Header, description = "Wait until this event is included")),
    responses((status = 200, body = [OrderBody]), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let after = params
        .cursor
        .as_deref()
        .map(str::parse::<Cursor>)
        .transpose();
    let query = OrderQuery {
        view: params.view,
        state: params.state,
        customer: params.customer_id,
        after: after.map_err(Problem::malformed)?,
        limit: limit(params.limit)?,
    };
    app.read_models
        .wait_for(min_position(&headers)?, app.settings.read_wait)
        .await?;
    let page = app.read_models.orders(&query).await?;

    let mut headers = HeaderMap::new();
    if let Some(next) = page.next {
        let view = match query.view {
            OrderView::Current => "current",
            OrderView::History => "history",
            OrderView::All => "all",
        };
        let state = query
            .state
            .map(|state| format!("&state={state}"))
            .unwrap_or_default();
        let customer = query
            .customer
            .map(|id| format!("&customer_id={id}"))
            .unwrap_or_default();
        let limit = query.limit;
        let link = format!(
            "</orders?view={view}{state}{customer}&limit={limit}&cursor={next}>; rel=\"next\""
        );
        headers.insert(header::LINK, link.parse().map_err(Problem::malformed)?);
    }
    let orders = page.orders.into_iter().map(Arc::unwrap_or_clone);
    let orders: Vec<_> = orders.map(OrderBody::from).collect();
    Ok((headers, Json(orders)).into_response())
}

/// Shows an order as it is now.
#[utoipa::path(get, path = "/orders/{id}", tag = "orders",
    params(("id" = Uuid, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = OrderBody, headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "It is as the caller knows it"),
        (status = 400, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    OrderParam(id): OrderParam,
) -> Result<Response, Problem> {
    let known = app.known(id).await?;
    let order = known
        .order
        .ok_or_else(|| Problem::not_found("there is no such order"))?;
    let tag = etag(order.version);
    let known = text(&headers, "if-none-match")?.unwrap_or_default();
    let mut known = known
        .split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"));
    if known.any(|known| known == "*" || known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag)], Json(OrderBody::from(order))).into_response())
}

/// Shows the events of an order: none if there is no such order.
#[utoipa::path(get, path = "/orders/{id}/events", tag = "orders", params(("id" = Uuid, Path)),
    responses((status = 200, body = [EventBody]), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn events(
    State(app): State<App>,
    OrderParam(id): OrderParam,
) -> Result<Json<Vec<EventBody>>, Problem> {
    let read = app.store.read([id.stream()]).await?;
    let events = read
        .events
        .into_iter()
        .map(|event| EventBody::new(id, event));
    events.collect::<Result<_, _>>().map(Json)
}

/// How many rows to return.
pub(super) fn limit(given: Option<u32>) -> Result<u32, Problem> {
    match given {
        None => Ok(100),
        Some(limit @ 1..=500) => Ok(limit),
        Some(limit) => Err(Problem::malformed(format!(
            "a limit of {limit} is not 1 to 500"
        ))),
    }
}

/// `Min-Position`: what an answer must include.
pub(super) fn min_position(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(position) = text(headers, "min-position")? else {
        return Ok(None);
    };
    // No store has a position that PostgreSQL could not count.
    let parsed = number(position).filter(|parsed| *parsed <= i64::MAX as u64);
    let malformed = || Problem::malformed(format!("Min-Position {position:?} is not a position"));
    parsed
        .map(|parsed| Some(Position::new(parsed)))
        .ok_or_else(malformed)
}
