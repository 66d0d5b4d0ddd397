//! A shop: an order takes several products from stock in one append, and a user name belongs to one
//! user. See README.md.

// What there is: ids, each the name of a stream, and what can happen.
pub mod events;
pub mod ids;

// What can be asked for, one command each.
pub mod place_order;
pub mod receive_stock;
pub mod register_user;
pub mod rename_user;

// All of it in use.
pub mod tour;
