//! Parts of pages: the layout, what holds readers back, tables, times, JSON, sparklines, links.

pub(crate) mod events;
pub(crate) mod failure;
pub(crate) mod form;
pub(crate) mod graph;
pub(crate) mod held;
pub(crate) mod json;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod operate;
pub(crate) mod spark;
pub(crate) mod table;
pub(crate) mod text;
