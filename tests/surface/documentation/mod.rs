//! The documentation is true: the catalog describes everything that is installed (`P13`), and the book in `docs/`
//! names every public object, runs as it is written, and links to nothing that is missing.

mod book;
mod catalog;
mod deployment;
mod links;
mod page;
mod programs;
mod reference;
