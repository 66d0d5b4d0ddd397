//! [`OrderError`]: why an order does not do what it is asked.

use eventcore::StreamVersion;

use super::{InvalidQuantity, MAX_ITEMS, OrderState, ProductId};

/// Why an order does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no order with this id.
    #[error("there is no such order")]
    NotFound,
    /// There is an order with this id.
    #[error("the order exists already")]
    AlreadyCreated,
    /// Its state does not allow it.
    #[error("the order is {state}, so it cannot be {action}")]
    InvalidState {
        /// Its state.
        state: &'static str,
        /// What was asked.
        action: &'static str,
    },
    /// It has no such item.
    #[error("the order has no item {0}")]
    ItemNotFound(ProductId),
    /// It has no items.
    #[error("the order has no items")]
    NoItems,
    /// It has as many products as an order may have.
    #[error("an order has at most {MAX_ITEMS} products")]
    TooManyItems,
    /// The quantities together are too large.
    #[error(transparent)]
    Quantity(#[from] InvalidQuantity),
    /// The product is in the order at another price.
    #[error("the order has {0} at another price")]
    OtherPrice(ProductId),
    /// It cannot be fulfilled.
    #[error("the order is {0} and cannot be fulfilled")]
    NotReady(OrderState),
    /// It is at another version than the caller demands.
    #[error("the order is at version {actual}, not {expected}")]
    OtherVersion {
        /// What the caller demands.
        expected: StreamVersion,
        /// What it is.
        actual: StreamVersion,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
}
