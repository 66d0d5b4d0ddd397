//! Checks of the repository itself. They read files, need neither a server nor another crate, and
//! run in the part `unit` of `cargo xtask test`.
//!
//! - `promises`: every promise that is cited exists, and names the tests that prove it.
//! - `decisions`: every decision has one form and is in the index, and every cited one exists.
//! - `links`: every relative link in a Markdown file leads somewhere.
//! - `paths`: every path that a guide for contributors names exists.
//! - `modules`: the modules of a crate have no circles, and `unsafe` has its places.
//! - `surface`: what `sql/` must not contain, and what pages and error codes must get right.

#[cfg(test)]
mod decisions;
#[cfg(test)]
mod files;
#[cfg(test)]
mod links;
#[cfg(test)]
mod markdown;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod rust;
#[cfg(test)]
mod surface;
