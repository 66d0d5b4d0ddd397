//! Forms: filters, which ask by GET, and actions, which are there only if they are allowed.

use maud::{Markup, html};

use crate::asked::Asked;

/// A filter: a form that asks for the page again with its fields.
pub(crate) fn filter(asked: &Asked, fields: Markup) -> Markup {
    html! {
        form.filter method="get" action=(asked.path()) role="search" aria-label="Filter" {
            (fields)
            button { "Show" }
        }
    }
}

/// A field of a filter, with what the page was asked for.
pub(crate) fn field(asked: &Asked, name: &str, label: &str, hint: &str) -> Markup {
    html! {
        label {
            span { (label) }
            input type="search" name=(name) value=(asked.value(name).unwrap_or_default()) placeholder=(hint)
                autocomplete="off" autocapitalize="off" spellcheck="false";
        }
    }
}

/// A form that does something. Nothing if actions are not allowed. `fields` has what is sent along and
/// the button.
pub(crate) fn action(asked: &Asked, path: &str, fields: Markup) -> Markup {
    html! {
        @if let Some(visitor) = asked.visitor_with_form() {
            form.action method="post" action=(path) {
                input type="hidden" name="csrf" value=(visitor.csrf);
                (fields)
            }
        }
    }
}

/// An action that is nothing but a button. With a question, the browser asks it first; without
/// JavaScript it is not asked, so what destroys something has a page of its own or a field to type in.
pub(crate) fn button(asked: &Asked, path: &str, label: &str, question: Option<&str>) -> Markup {
    action(
        asked,
        path,
        html! { button data-question=[question] { (label) } },
    )
}
