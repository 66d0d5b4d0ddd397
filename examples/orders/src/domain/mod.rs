//! The rules of the shop, without a store and without a network: values, events, states, decisions.

mod amounts;
mod books;
mod event_union;
mod events;
mod fulfilment;
mod ids;
mod order;
mod order_command;
mod order_error;
mod product;
mod texts;

pub use amounts::{InvalidPrice, InvalidQuantity, Money, Price, Quantity};
pub use books::FULL_BOOK;
pub(crate) use books::PRODUCT_PREFIXES;
pub use events::{
    FulfilmentEvent, OrderEvent, PaymentEvent, RequestEvent, ShipmentEvent, ShopEvent, StockEvent,
};
pub use fulfilment::{Fulfilment, FulfilmentState, Step};
pub use ids::{CustomerId, NilCustomer, OrderId, RequestId};
pub use order::{Item, MAX_ITEMS, Order, OrderState};
pub use order_command::OrderCommand;
pub use order_error::OrderError;
pub use product::{InsufficientStock, Product};
pub use texts::{InvalidText, ProductId, ProductName, Reason, RequestKey};
