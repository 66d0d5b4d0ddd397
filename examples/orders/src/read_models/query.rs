//! The questions that the read models answer, wherever they are kept.

use uuid::Uuid;

use super::{
    Cursor, CustomerRow, OrderPage, ProductRow, ReadError, ReadModels, Statistics, postgres,
};
use crate::domain::{OrderState, ProductId};

/// Which orders to list.
#[derive(Debug, Clone)]
pub struct OrderQuery {
    /// Current ones, or those that have ended, or all.
    pub view: OrderView,
    /// Only those in this state.
    pub state: Option<OrderState>,
    /// Only those of this customer.
    pub customer: Option<Uuid>,
    /// Only those behind this place.
    pub after: Option<Cursor>,
    /// The most rows to return.
    pub limit: u32,
}

/// Current orders, or those that have ended, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderView {
    /// Those under way.
    #[default]
    Current,
    /// Completed and cancelled ones.
    History,
    /// All.
    All,
}

/// How to sort customers; the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CustomerOrder {
    /// By what they spent.
    #[default]
    Spent,
    /// By how many orders they have.
    Orders,
}

/// How to sort products; the highest first, or by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductOrder {
    /// By how many pieces were ordered.
    #[default]
    Demand,
    /// By revenue.
    Revenue,
    /// By name.
    Name,
}

impl OrderView {
    /// Whether orders under way are in it, or those that have ended; `None` for both.
    pub(super) fn active(self) -> Option<bool> {
        match self {
            Self::Current => Some(true),
            Self::History => Some(false),
            Self::All => None,
        }
    }
}

impl ReadModels {
    /// Orders, the newest first.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn orders(&self, query: &OrderQuery) -> Result<OrderPage, ReadError> {
        match self {
            Self::Memory(_, views) => Ok(views.orders(query)),
            Self::Client(store) | Self::Server(store) => postgres::orders(store, query).await,
        }
    }

    /// Customers.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn customers(
        &self,
        sort: CustomerOrder,
        limit: u32,
    ) -> Result<Vec<CustomerRow>, ReadError> {
        match self {
            Self::Memory(_, views) => Ok(views.customers(sort, limit)),
            Self::Client(store) | Self::Server(store) => {
                postgres::customers(store, sort, limit).await
            }
        }
    }

    /// One customer, if they have ordered.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn customer(&self, id: Uuid) -> Result<Option<CustomerRow>, ReadError> {
        match self {
            Self::Memory(_, views) => Ok(views.customer(id)),
            Self::Client(store) | Self::Server(store) => postgres::customer(store, id).await,
        }
    }

    /// Products.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn products(
        &self,
        sort: ProductOrder,
        limit: u32,
    ) -> Result<Vec<ProductRow>, ReadError> {
        match self {
            Self::Memory(_, views) => Ok(views.products(sort, limit)),
            Self::Client(store) | Self::Server(store) => {
                postgres::products(store, sort, limit).await
            }
        }
    }

    /// One product, if it was ever received or ordered.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn product(&self, id: &ProductId) -> Result<Option<ProductRow>, ReadError> {
        match self {
            Self::Memory(_, views) => Ok(views.product(id)),
            Self::Client(store) | Self::Server(store) => postgres::product(store, id).await,
        }
    }

    /// The shop in a few numbers.
    ///
    /// # Errors
    ///
    /// The tables cannot be read.
    pub async fn statistics(&self) -> Result<Statistics, ReadError> {
        let mut statistics = match self {
            Self::Memory(_, views) => views.statistics(),
            Self::Client(store) | Self::Server(store) => postgres::statistics(store).await?,
        };
        statistics.position = self.checkpoint().await?.get();
        Ok(statistics)
    }
}
