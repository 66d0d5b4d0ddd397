//! The tables of the extension: their OIDs, their columns, and how to open them.

mod catalog;
pub mod heads;
pub mod history;
pub mod home;

pub use catalog::*;
