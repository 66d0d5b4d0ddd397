//! [`Answer`]: what a handler returns.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::page::Page;

/// What a handler returns.
pub(crate) enum Answer {
    /// A page, to which the layout is added.
    Page(Box<Page>),
    /// Anything else.
    Response(Response),
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self::Page(Box::new(page))
    }
}

impl Answer {
    /// Another page instead, by GET. The path is one of ours.
    pub(crate) fn redirect(path: &str) -> Self {
        let mut response = StatusCode::SEE_OTHER.into_response();
        match HeaderValue::from_str(path) {
            Ok(path) => response.headers_mut().insert(header::LOCATION, path),
            // Links are percent-encoded, so this is none of ours.
            Err(_) => return Self::Response(StatusCode::BAD_REQUEST.into_response()),
        };
        Self::Response(response)
    }

    /// A document of this kind.
    pub(crate) fn document(kind: &'static str, text: impl Into<Body>) -> Self {
        let kind = [(header::CONTENT_TYPE, kind)];
        Self::Response((kind, text.into()).into_response())
    }

    /// A JSON document.
    pub(crate) fn json(text: impl Into<Body>) -> Self {
        Self::document("application/json", text)
    }

    /// The same with a cookie. Pages have none.
    pub(crate) fn with_cookie(self, cookie: String) -> Self {
        match (self, HeaderValue::from_str(&cookie)) {
            (Self::Response(mut response), Ok(cookie)) => {
                response.headers_mut().append(header::SET_COOKIE, cookie);
                Self::Response(response)
            }
            (answer, _) => answer,
        }
    }
}
