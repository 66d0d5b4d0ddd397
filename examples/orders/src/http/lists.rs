//! Shows customers, products and statistics, from the read models.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use super::orders::{limit, min_position};
use super::params::{CustomerParam, Params, ProductParam};
use super::{App, Problem};
use crate::read_models::{CustomerOrder, CustomerRow, ProductOrder, ProductRow, Statistics};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CustomersParams {
    /// What to sort by, the highest first.
    #[serde(default)]
    #[param(inline)]
    sort: CustomerOrder,
    /// 1 to 500; 100 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Lists customers.
#[utoipa::path(get, path = "/customers", tag = "shop",
    params(CustomersParams, ("Min-Position" = Option<u64>, Header)),
    responses((status = 200, body = [CustomerRow]), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn customers(
    State(app): State<App>,
    headers: HeaderMap,
    Params(params): Params<CustomersParams>,
) -> Result<Json<Vec<CustomerRow>>, Problem> {
    let limit = limit(params.limit)?;
    caught_up(&app, &headers).await?;
    Ok(Json(app.read_models.customers(params.sort, limit).await?))
}

/// Shows a customer.
#[utoipa::path(get, path = "/customers/{id}", tag = "shop",
    params(("id" = uuid::Uuid, Path), ("Min-Position" = Option<u64>, Header)),
    responses((status = 200, body = CustomerRow), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn customer(
    State(app): State<App>,
    headers: HeaderMap,
    CustomerParam(id): CustomerParam,
) -> Result<Json<CustomerRow>, Problem> {
    caught_up(&app, &headers).await?;
    let customer = app.read_models.customer(id).await?;
    customer
        .map(Json)
        .ok_or_else(|| Problem::not_found("there is no such customer"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductsParams {
    /// What to sort by: the highest first, or by name.
    #[serde(default)]
    #[param(inline)]
    sort: ProductOrder,
    /// 1 to 500; 100 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Lists products with their stock and demand.
#[utoipa::path(get, path = "/inventory", tag = "shop",
    params(ProductsParams, ("Min-Position" = Option<u64>, Header)),
    responses((status = 200, body = [ProductRow]), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn products(
    State(app): State<App>,
    headers: HeaderMap,
    Params(params): Params<ProductsParams>,
) -> Result<Json<Vec<ProductRow>>, Problem> {
    let limit = limit(params.limit)?;
    caught_up(&app, &headers).await?;
    Ok(Json(app.read_models.products(params.sort, limit).await?))
}

/// Shows a product.
#[utoipa::path(get, path = "/inventory/{product_id}", tag = "shop",
    params(("product_id" = String, Path), ("Min-Position" = Option<u64>, Header)),
    responses((status = 200, body = ProductRow), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn product(
    State(app): State<App>,
    headers: HeaderMap,
    ProductParam(id): ProductParam,
) -> Result<Json<ProductRow>, Problem> {
    caught_up(&app, &headers).await?;
    let product = app.read_models.product(&id).await?;
    product
        .map(Json)
        .ok_or_else(|| Problem::not_found("there is no such product"))
}

/// Shows the shop in a few numbers.
#[utoipa::path(get, path = "/statistics", tag = "shop", params(("Min-Position" = Option<u64>, Header)),
    responses((status = 200, body = Statistics), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn statistics(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<Statistics>, Problem> {
    caught_up(&app, &headers).await?;
    Ok(Json(app.read_models.statistics().await?))
}

async fn caught_up(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let position = min_position(headers)?;
    Ok(app
        .read_models
        .wait_for(position, app.settings.read_wait)
        .await?)
}
