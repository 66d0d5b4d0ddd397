//! The Rust of the book's pages, and of the project's README, as doctests.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../docs/start/rust.md")]
struct Start;

#[doc = include_str!("../../docs/guides/testing.md")]
struct Testing;
