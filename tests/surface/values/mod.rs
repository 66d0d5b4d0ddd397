//! Names and texts mean their bytes, and a session's settings change no result.

mod calls;
mod collations;
mod settings;
mod types;
