//! The commands that people give: on orders and on stock. Those of a fulfilment are in
//! [`fulfilment`](crate::fulfilment).

mod change_order;
mod known;
mod receive_stock;
mod request;
mod start_fulfilment;

pub use change_order::ChangeOrder;
pub use known::Known;
pub use receive_stock::ReceiveStock;
pub use request::Request;
pub use start_fulfilment::StartFulfilment;
