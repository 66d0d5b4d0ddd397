//! P11: projections inside the server while their worker, the server and their handlers fail.

mod ended;
mod killed;
