//! [`Page`]: a page before the layout is added.

use axum::http::StatusCode;
use maud::Markup;

/// A page before the layout is added.
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) body: Markup,
    pub(crate) status: StatusCode,
    /// Whether it has no navigation.
    pub(crate) is_bare: bool,
}

impl Page {
    pub(crate) fn new(title: impl Into<String>, body: Markup) -> Self {
        Self {
            title: title.into(),
            body,
            status: StatusCode::OK,
            is_bare: false,
        }
    }

    /// The same with another status.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same without navigation.
    pub(crate) fn bare(mut self) -> Self {
        self.is_bare = true;
        self
    }
}
