//! The pages, a file for each. A page is in the table of routes as soon as its file is named in
//! [`ROUTES`].

mod go;
mod overview;
mod streams;

use crate::routes::Route;

/// What each file serves. One line each, in the order of the alphabet.
pub(crate) const ROUTES: &[&[Route]] = &[go::ROUTES, overview::ROUTES, streams::ROUTES];
