//! Sample data: stock, customers, and orders in all states.

use eventcore::{CorrelationId, ExecuteError, ExecuteOptions, Position, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::commands::{ChangeOrder, ReceiveStock, StartFulfilment};
use crate::domain::{
    CustomerId, InvalidPrice, InvalidQuantity, InvalidText, Item, OrderCommand, OrderId, Price,
    ProductId, ProductName, Quantity, Reason,
};
use crate::store::Store;

/// The products: what they are ordered by, what they are called, what a piece costs in cents.
pub const PRODUCTS: [(&str, &str, i64); 10] = [
    ("SKU-001", "Desk lamp", 3_490),
    ("SKU-002", "Notebook, dotted", 650),
    ("SKU-003", "Fountain pen", 4_200),
    ("SKU-004", "Ink, blue", 890),
    ("SKU-005", "Desk mat", 2_750),
    ("SKU-006", "Paper knife", 1_990),
    ("SKU-007", "Standing desk", 64_900),
    ("SKU-008", "Office chair", 38_900),
    ("SKU-009", "Monitor arm", 11_900),
    ("SKU-010", "Pencils, 12 pieces", 1_150),
];

/// How many pieces of each product arrive.
const PIECES: u32 = 500;

/// How much was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Seeded {
    /// How many products got stock.
    pub products: usize,
    /// How many orders were created.
    pub orders: u32,
    /// The position of the last event that was written.
    #[serde(skip)]
    pub last_position: Option<Position>,
}

/// Why sample data cannot be made.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is the error that it contains")]
pub enum SeedError {
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Text(#[from] InvalidText),
    #[error(transparent)]
    Quantity(#[from] InvalidQuantity),
    #[error(transparent)]
    Price(#[from] InvalidPrice),
}

/// Makes stock and this many orders, and starts the fulfilment of most of them.
///
/// # Errors
///
/// The store fails.
pub async fn seed(
    store: &Store,
    orders: u32,
    correlation_id: CorrelationId,
) -> Result<Seeded, SeedError> {
    let options = ExecuteOptions::new().correlation_id(correlation_id);
    let mut last_position = None;
    for (id, name, _) in PRODUCTS {
        let name = ProductName::new(name)?;
        let receive = ReceiveStock::new(&ProductId::new(id)?, name, Quantity::new(PIECES)?);
        last_position = store.execute(&receive, &options).await?.last_position();
    }
    let customers: Vec<_> = (0..5).map(|_| CustomerId::new()).collect();
    for number in 0..orders {
        let (id, customer_id) = (
            OrderId::new(),
            customers[fastrand::usize(..customers.len())],
        );
        let mut commands = vec![OrderCommand::CreateOrder {
            order_id: id,
            customer_id,
        }];
        for _ in 0..fastrand::u32(1..=3) {
            commands.push(OrderCommand::AddItem(item(number % 8 == 7)?));
        }
        match number % 8 {
            0 => {}
            1 => commands.push(OrderCommand::SubmitOrder),
            2 => commands.push(OrderCommand::CancelOrder {
                reason: Reason::new("ordered by mistake")?,
                cancelled_by: Some(Reason::new("customer")?),
            }),
            _ => {}
        }
        let order = ChangeOrder::new(id, commands);
        last_position = store.execute(&order, &options).await?.last_position();
        if number % 8 > 2 {
            let start = StartFulfilment::new(id);
            last_position = store.execute(&start, &options).await?.last_position();
        }
    }
    Ok(Seeded {
        products: PRODUCTS.len(),
        orders,
        last_position,
    })
}

/// A few pieces of some product, or more than the carrier accepts.
fn item(too_many: bool) -> Result<Item, SeedError> {
    let (id, name, cents) = PRODUCTS[fastrand::usize(..PRODUCTS.len())];
    let quantity = if too_many { 90 } else { fastrand::u32(1..=4) };
    Ok(Item {
        product_id: ProductId::new(id)?,
        product_name: ProductName::new(name)?,
        quantity: Quantity::new(quantity)?,
        unit_price: Price::from_cents(cents)?,
    })
}
