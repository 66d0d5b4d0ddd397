//! Task management as a REST API on axum. See README.md.

// What can happen to a task, what can be asked for, and by which rules.
pub mod change_task;
pub mod create_task;
pub mod task;

// The list of tasks: a read model in memory.
pub mod list;

// HTTP.
pub mod api;
pub mod problem;
