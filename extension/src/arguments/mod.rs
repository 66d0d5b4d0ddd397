//! Arguments that several functions take.

pub mod filter;
pub mod json;
pub mod streams;
