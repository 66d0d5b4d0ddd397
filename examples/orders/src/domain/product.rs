//! [`Product`]: how many pieces of a product are available.

use super::{OrderId, ProductId, ProductName, Quantity, StockEvent};

/// The stock of a product.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Product {
    /// What it is called; `None` if nothing was ever received.
    pub name: Option<ProductName>,
    /// How many pieces are not set aside for an order.
    pub available: u64,
}

/// There are fewer pieces than an order needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Insufficient stock of {product}: {available} available, {wanted} wanted")]
pub struct InsufficientStock {
    /// The product.
    pub product: ProductId,
    /// How many there are.
    pub available: u64,
    /// How many are needed.
    pub wanted: Quantity,
}

impl Product {
    /// The stock after an event.
    #[must_use]
    pub fn apply(mut self, event: &StockEvent) -> Self {
        match event {
            StockEvent::StockReceived {
                product_name,
                quantity,
            } => {
                self.name = Some(product_name.clone());
                self.available += u64::from(quantity.get());
            }
            StockEvent::StockReserved { quantity, .. } => {
                self.available = self.available.saturating_sub(quantity.get().into());
            }
            StockEvent::StockReleased { quantity, .. } => {
                self.available += u64::from(quantity.get());
            }
        }
        self
    }

    /// Sets pieces aside for an order.
    ///
    /// # Errors
    ///
    /// There are too few.
    pub fn reserve(
        &self,
        product: &ProductId,
        order_id: OrderId,
        quantity: Quantity,
    ) -> Result<StockEvent, InsufficientStock> {
        if u64::from(quantity.get()) > self.available {
            return Err(InsufficientStock {
                product: product.clone(),
                available: self.available,
                wanted: quantity,
            });
        }
        Ok(StockEvent::StockReserved { order_id, quantity })
    }
}
