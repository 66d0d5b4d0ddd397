//! What the path and the query of a request say.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Problem;
use crate::domain::{OrderId, ProductId};

/// The `{id}` of the path, as an order.
pub(super) struct OrderParam(pub(super) OrderId);

/// The `{id}` of the path, as a customer.
pub(super) struct CustomerParam(pub(super) Uuid);

/// The `{product_id}` of the path.
pub(super) struct ProductParam(pub(super) ProductId);

/// The query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync> FromRequestParts<S> for OrderParam {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = param(parts, state, "id").await?;
        id.parse()
            .map(Self)
            .map_err(|_| Problem::malformed(format!("{id:?} is not a UUID")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CustomerParam {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = param(parts, state, "id").await?;
        id.parse()
            .map(Self)
            .map_err(|_| Problem::malformed(format!("{id:?} is not a UUID")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ProductParam {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = param(parts, state, "product_id").await?;
        ProductId::new(id).map(Self).map_err(Problem::malformed)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(value)| Self(value))
            .map_err(|error| Problem::malformed(error.body_text()))
    }
}

async fn param<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<String, Problem> {
    let params = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
    let Path(mut params) = params.map_err(|error| Problem::malformed(error.body_text()))?;
    Ok(params.remove(name).unwrap_or_default())
}
