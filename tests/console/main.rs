//! The web console: what every route answers, what it makes of hostile names, who may ask, what is
//! refused, and that the live tail neither misses nor repeats.

mod actions;
mod commands;
mod guard;
mod many;
mod older;
mod operation;
mod projections;
mod routes;
mod shown;
mod subscriptions;
mod support;
mod tail;
