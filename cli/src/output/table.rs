//! Tables: aligned columns without rules, so that other programs can take them apart.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::safe;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    align: Align,
}

/// How the cells of a column are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A column of texts.
pub(crate) fn left(name: &'static str) -> Column {
    Column {
        name,
        align: Align::Left,
    }
}

/// A column of numbers.
pub(crate) fn right(name: &'static str) -> Column {
    Column {
        name,
        align: Align::Right,
    }
}

/// The table. On a terminal each row has one line, in which long cells are cut; in a pipe nothing is
/// cut.
pub(super) fn table(columns: &[Column], rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|column| column.name));
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    for cells in rows {
        let cells = cells.iter().map(|cell| safe(cell).into_owned());
        let mut row = comfy_table::Row::from(cells.collect::<Vec<_>>());
        row.max_height(1);
        table.add_row(row);
    }
    for (column, spec) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        column.set_cell_alignment(match spec.align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    table.trim_fmt()
}

/// A line of a table whose next lines are not known: its columns grow when a cell needs it.
pub(super) fn line(
    columns: &[Column],
    cells: Vec<String>,
    widths: &mut Vec<usize>,
    width: Option<usize>,
) -> String {
    widths.resize(columns.len(), 0);
    let mut line = String::new();
    let mut used = 0;
    for ((cell, column), known) in cells.iter().zip(columns).zip(widths) {
        let cell = safe(cell);
        let length = unicode_width::UnicodeWidthStr::width(cell.as_ref());
        // A very long cell does not move all later ones.
        *known = length.min(40).max(*known);
        let gap = " ".repeat(known.saturating_sub(length));
        match column.align {
            Align::Left => line.extend([cell.as_ref(), &gap, "  "]),
            Align::Right => line.extend([&gap, cell.as_ref(), "  "]),
        }
        used += length + gap.len() + 2;
    }
    match width {
        Some(width) if used > width => cut(line.trim_end(), width),
        _ => line.trim_end().to_owned(),
    }
}

/// The beginning of a text that fits.
fn cut(text: &str, width: usize) -> String {
    let mut used = 0;
    let mut shown = String::new();
    for letter in text.chars() {
        used += unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0);
        if used >= width {
            shown.push('…');
            return shown;
        }
        shown.push(letter);
    }
    shown
}
