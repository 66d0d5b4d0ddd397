//! Who else gets in: by names, by default privileges, by settings, by tables (`P12`).

mod default_privileges;
mod renamed_schema;
mod rows;
mod statements;
