//! Changes orders: their items, their submission, their end.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::asked::Asked;
use super::bodies::{CancelBody, ItemBody, OrderBody, QuantityBody, change_headers};
use super::body::Body;
use super::params::{OrderParam, ProductParam};
use super::{App, Problem};
use crate::commands::ChangeOrder;
use crate::domain::{Item, OrderCommand, OrderId, Quantity, Reason};

/// Adds pieces of a product to an order.
#[utoipa::path(post, path = "/orders/{id}/items", tag = "orders", request_body = ItemBody,
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = OrderBody), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn add_item(
    State(app): State<App>,
    OrderParam(id): OrderParam,
    asked: Asked,
    body: Body<ItemBody>,
) -> Result<Response, Problem> {
    let command = OrderCommand::AddItem(Item::try_from(body.value)?);
    change(&app, id, command, &asked, &body.bytes).await
}

/// Changes the quantity of a product in an order; 0 takes it out.
#[utoipa::path(put, path = "/orders/{id}/items/{product_id}", tag = "orders", request_body = QuantityBody,
    params(("id" = uuid::Uuid, Path), ("product_id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = OrderBody), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn set_quantity(
    State(app): State<App>,
    OrderParam(id): OrderParam,
    ProductParam(product_id): ProductParam,
    asked: Asked,
    body: Body<QuantityBody>,
) -> Result<Response, Problem> {
    let new_quantity = match body.value.quantity {
        0 => None,
        pieces => Some(Quantity::new(pieces).map_err(Problem::malformed)?),
    };
    let command = OrderCommand::UpdateItemQuantity {
        product_id,
        new_quantity,
    };
    change(&app, id, command, &asked, &body.bytes).await
}

/// Takes a product out of an order.
#[utoipa::path(delete, path = "/orders/{id}/items/{product_id}", tag = "orders",
    params(("id" = uuid::Uuid, Path), ("product_id" = String, Path), ("If-Match" = Option<String>, Header)),
    responses((status = 200, body = OrderBody), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn remove_item(
    State(app): State<App>,
    OrderParam(id): OrderParam,
    ProductParam(product_id): ProductParam,
    asked: Asked,
) -> Result<Response, Problem> {
    change(
        &app,
        id,
        OrderCommand::RemoveItem { product_id },
        &asked,
        b"",
    )
    .await
}

/// Fixes the items of an order.
#[utoipa::path(post, path = "/orders/{id}/submit", tag = "orders",
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = OrderBody), (status = 400, body = Problem, description = "It has no items"),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn submit(
    State(app): State<App>,
    OrderParam(id): OrderParam,
    asked: Asked,
) -> Result<Response, Problem> {
    change(&app, id, OrderCommand::SubmitOrder, &asked, b"").await
}

/// Cancels an order. If it is being fulfilled, what was done is undone.
#[utoipa::path(post, path = "/orders/{id}/cancel", tag = "orders", request_body = CancelBody,
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = OrderBody), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem), (status = 413, body = Problem),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn cancel(
    State(app): State<App>,
    OrderParam(id): OrderParam,
    asked: Asked,
    body: Body<CancelBody>,
) -> Result<Response, Problem> {
    let command = OrderCommand::CancelOrder {
        reason: Reason::new(body.value.reason).map_err(Problem::malformed)?,
        cancelled_by: body
            .value
            .cancelled_by
            .map(Reason::new)
            .transpose()
            .map_err(Problem::malformed)?,
    };
    change(&app, id, command, &asked, &body.bytes).await
}

/// Carries out a command on an order, and shows the order as it is then.
async fn change(
    app: &App,
    id: OrderId,
    command: OrderCommand,
    asked: &Asked,
    content: &[u8],
) -> Result<Response, Problem> {
    let command = ChangeOrder::new(id, [command])
        .once_for(asked.request(content))
        .if_match(asked.if_match);
    let done = app.execute(&command, asked).await?;
    let order = app.known(id).await?.order;
    let order = order.ok_or_else(|| Problem::not_found("there is no such order"))?;
    let headers = change_headers(Some(order.version), &done, asked.is_replay(&done));
    Ok((headers, Json(OrderBody::from(order))).into_response())
}
