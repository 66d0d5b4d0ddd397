//! [`Product`]: how many pieces of a product are available.

use eventcore::StreamId;

use super::{FULL_BOOK, OrderId, ProductId, ProductName, Quantity, StockEvent};

/// The stock of a product.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Product {
    /// What it is called; `None` if nothing was ever received.
    pub name: Option<ProductName>,
    /// How many pieces are not set aside for an order.
    pub available: u64,
    /// The number of the current book.
    pub book: u32,
    /// How many entries that has.
    pub entries: u32,
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
        self.entries += 1;
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
            StockEvent::BookOpened { book, available } => {
                (self.book, self.entries, self.available) = (*book, 0, *available);
            }
        }
        self
    }

    /// What to write into the first book if the current one is full.
    pub fn open_book(&self) -> Option<StockEvent> {
        (self.entries >= FULL_BOOK).then_some(StockEvent::BookOpened {
            book: self.book + 1,
            available: self.available,
        })
    }

    /// The streams that a reservation may write: the first book, the current one, and the next one
    /// if that is full.
    pub fn books(&self, id: &ProductId) -> Vec<StreamId> {
        let mut books = vec![id.first_book(), id.book(self.book)];
        if self.entries >= FULL_BOOK {
            books.push(id.book(self.book + 1));
        }
        books
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
