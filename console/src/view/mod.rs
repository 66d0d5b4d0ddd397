//! Parts of pages: the layout, tables, times, JSON, sparklines, links.

pub(crate) mod events;
pub(crate) mod failure;
pub(crate) mod form;
pub(crate) mod graph;
pub(crate) mod json;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod operate;
pub(crate) mod spark;
pub(crate) mod table;
pub(crate) mod text;
