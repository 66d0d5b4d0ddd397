//! Tables. On a narrow screen each row becomes a card, in which each cell has its column's title.

use maud::{Markup, html};

/// A column.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    is_number: bool,
    is_wide: bool,
    is_long: bool,
}

/// A column of texts.
pub(crate) const fn text(title: &'static str) -> Column {
    Column {
        title,
        is_number: false,
        is_wide: false,
        is_long: false,
    }
}

/// A column of numbers, aligned to the right.
pub(crate) const fn number(title: &'static str) -> Column {
    Column {
        title,
        is_number: true,
        is_wide: false,
        is_long: false,
    }
}

/// A column that takes the room that is left.
pub(crate) const fn wide(title: &'static str) -> Column {
    Column {
        title,
        is_number: false,
        is_wide: true,
        is_long: false,
    }
}

/// A column of texts of several words, which are not broken into too many lines.
pub(crate) const fn long(title: &'static str) -> Column {
    Column {
        title,
        is_number: false,
        is_wide: false,
        is_long: true,
    }
}

impl Column {
    fn class(self) -> &'static str {
        match self {
            Self {
                is_number: true, ..
            } => "number",
            Self { is_wide: true, .. } => "wide",
            Self { is_long: true, .. } => "long",
            _ => "",
        }
    }
}

/// A row: a cell for each column.
pub(crate) fn row(columns: &[Column], cells: &[Markup]) -> Markup {
    html! { tr { (self::cells(columns, cells)) } }
}

/// The cells of a row, for rows with attributes of their own.
pub(crate) fn cells(columns: &[Column], cells: &[Markup]) -> Markup {
    html! {
        @for (column, cell) in columns.iter().zip(cells) {
            td class=(column.class()) data-label=(column.title) { (cell) }
        }
    }
}

/// A table. The caption says to a screen reader what it is.
pub(crate) fn table(caption: &str, columns: &[Column], rows: Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                (head(columns))
                tbody { (rows) }
            }
        }
    }
}

/// The titles of the columns.
pub(crate) fn head(columns: &[Column]) -> Markup {
    html! {
        thead { tr {
            @for column in columns { th scope="col" class=(column.class()) { (column.title) } }
        } }
    }
}

/// What stands in the place of a table with no row.
pub(crate) fn nothing(text: &str) -> Markup {
    html! { p.nothing { (text) } }
}

/// The link to the next page, if there is one.
pub(crate) fn more(next: Option<&str>, label: &str) -> Markup {
    html! {
        @if let Some(next) = next { nav.more aria-label="Further pages" { a.button rel="next" href=(next) { (label) } } }
    }
}

/// The names and values of one thing.
pub(crate) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}
