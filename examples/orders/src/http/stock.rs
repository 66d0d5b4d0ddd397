//! Takes stock in.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::Asked;
use super::bodies::change_headers;
use super::body::Body;
use super::params::ProductParam;
use super::{App, Problem};
use crate::commands::ReceiveStock;
use crate::domain::{ProductName, Quantity};

/// Pieces of a product that arrived.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ReceiveBody {
    /// What the product is called.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    product_name: String,
    /// How many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: u32,
}

/// The stock of a product.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockBody {
    product_id: String,
    /// How many pieces are not set aside.
    available: u64,
}

/// Takes pieces of a product in.
#[utoipa::path(post, path = "/inventory/{product_id}/receive", tag = "shop", request_body = ReceiveBody,
    params(("product_id" = String, Path)),
    responses((status = 200, body = StockBody), (status = 400, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn receive(
    State(app): State<App>,
    ProductParam(id): ProductParam,
    asked: Asked,
    body: Body<ReceiveBody>,
) -> Result<Response, Problem> {
    let name = ProductName::new(body.value.product_name).map_err(Problem::malformed)?;
    let quantity = Quantity::new(body.value.quantity).map_err(Problem::malformed)?;
    let receive = ReceiveStock::new(&id, name, quantity);
    let done = app.execute(&receive, &asked).await?;

    let available = app.product(&id).await?.available;
    let body = StockBody {
        product_id: id.into(),
        available,
    };
    Ok((change_headers(None, &done, false), Json(body)).into_response())
}
