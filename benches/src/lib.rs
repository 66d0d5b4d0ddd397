//! Shared by the benchmarks: a server to measure on, slices of time that take turns, a report.

pub mod database;
pub mod machine;
pub mod pgbench;
pub mod report;
pub mod rounds;
pub mod workers;
