//! What protects the tables against statements of others, and applications against appending where
//! they must not.

pub mod closings;
pub mod drop;
pub mod foreign_rows;
pub mod reentry;
pub mod replication;
pub mod statements;
