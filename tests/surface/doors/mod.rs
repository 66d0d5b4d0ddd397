//! Other ways in: names, default privileges, settings, tables (`P12`).

mod bound;
mod default_privileges;
mod hijack;
mod locks;
mod renamed_schema;
mod rows;
mod sessions;
mod statements;
mod table;
