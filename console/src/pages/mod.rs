//! The pages, a file for each. A page is in the table of routes as soon as its file is named in
//! [`ROUTES`].

mod checkpoints;
mod command;
mod command_state;
mod commands;
mod compare;
mod doctor;
mod dry_run;
mod event;
mod go;
mod inflight;
mod metrics;
mod overview;
mod park;
mod parked;
mod projection;
mod projections;
mod search;
mod settings;
mod stream;
mod streams;
mod subscription;
mod subscriptions;
mod tail;
mod trace;

use crate::routes::Route;

/// What each file serves. One line each, in the order of the alphabet.
pub(crate) const ROUTES: &[&[Route]] = &[
    checkpoints::ROUTES,
    command::ROUTES,
    command_state::ROUTES,
    commands::ROUTES,
    compare::ROUTES,
    doctor::ROUTES,
    dry_run::ROUTES,
    event::ROUTES,
    go::ROUTES,
    inflight::ROUTES,
    metrics::ROUTES,
    overview::ROUTES,
    park::ROUTES,
    parked::ROUTES,
    projection::ROUTES,
    projections::ROUTES,
    search::ROUTES,
    settings::ROUTES,
    stream::ROUTES,
    streams::ROUTES,
    subscription::ROUTES,
    subscriptions::ROUTES,
    tail::ROUTES,
    trace::ROUTES,
];
