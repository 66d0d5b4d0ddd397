//! The server's C interface, made safe. All `unsafe` code of the extension that calls the server is
//! here. Each wrapper gives back what it took when it is dropped. Nothing here knows the modules
//! above, except [`error`](crate::error).
//!
//! Every server function may raise an error. pgrx turns that into a Rust panic, and the panic
//! becomes an error again where the server called the extension ([`raise`]). The destructors that
//! the panic runs do nothing ([`unwinding`]): the end of the transaction gives everything back.

pub mod altered;
pub mod array;
pub mod cache;
pub mod callable;
pub mod catch;
pub mod clock;
pub mod databases;
pub mod delete;
pub mod environment;
pub mod error_context;
pub mod extension;
pub mod ffi;
mod flush;
pub mod function;
pub mod hooks;
mod index_executor;
pub mod indexes;
pub mod insert;
pub mod jsonb;
mod last_error;
pub mod lock;
pub mod memory;
pub mod process;
pub mod raise;
mod raw;
pub mod relation;
pub mod rows;
pub mod scan;
pub mod sequence;
pub mod session;
mod session_values;
pub mod shared_memory;
pub mod signals;
pub mod snapshot;
pub mod standbys;
pub mod table_scan;
pub mod transaction;
mod triggers;
mod unwinding;
pub mod value;
pub mod wal;
pub mod worker;
