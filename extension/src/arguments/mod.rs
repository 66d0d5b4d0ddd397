//! Arguments that several functions take.

pub mod filter;
pub mod streams;
