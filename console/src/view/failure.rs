//! The box that says what has failed, and what to do about it.

use eventcore_inspect::Error;
use eventcore_inspect::text::safe;
use maud::{Markup, html};

use super::operate::source;
use super::text::told;
use crate::failure::Failure;

/// What is said in the box.
pub(crate) struct Words<'a> {
    message: String,
    hint: Option<&'a str>,
    detail: Option<&'a str>,
    sqlstate: Option<&'a str>,
}

impl<'a> From<&'a Failure> for Words<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            message: failure.message.clone(),
            hint: failure.hint.as_deref(),
            detail: failure.detail.as_deref(),
            sqlstate: failure.sqlstate.as_deref(),
        }
    }
}

impl<'a> From<&'a Error> for Words<'a> {
    fn from(error: &'a Error) -> Self {
        Self {
            message: error.to_string(),
            hint: error.hint(),
            detail: error.detail(),
            sqlstate: error.sqlstate(),
        }
    }
}

/// The box, with its title.
pub(crate) fn failure<'a>(title: Markup, words: impl Into<Words<'a>>) -> Markup {
    let words = words.into();
    html! {
        div.failure role="alert" {
            (title)
            p.message { (told(&words.message)) }
            @if let Some(hint) = words.hint { p.hint { (told(hint)) } }
            @if let Some(detail) = words.detail { (source(detail)) }
            @if let Some(code) = words.sqlstate { p.code { "SQLSTATE " code { (safe(code)) } } }
        }
    }
}
