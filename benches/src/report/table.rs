//! A report as aligned text and as Markdown.

use std::fmt::Write;

use super::{Comparison, Curve, Figure, Report, Target};
use crate::rounds::Spread;

/// A row of cells; the table knows how many.
type Row = Vec<String>;

pub(super) fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.machine);
    for table in tables(report) {
        text.push('\n');
        let width = |column: usize| {
            let cells = table.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..table[0].len()).map(width).collect();
        for row in &table {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{cell:<width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

pub(super) fn markdown(report: &Report) -> String {
    let mut text = format!("{}\n", report.machine);
    for table in tables(report) {
        text.push('\n');
        for (index, row) in table.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
            if index == 0 {
                text.push_str(&format!("|{}\n", "---|".repeat(row.len())));
            }
        }
    }
    text
}

/// The comparisons, the figures and the curves, each with a heading; an empty table is left out.
fn tables(report: &Report) -> Vec<Vec<Row>> {
    let guarantees = report.comparisons.iter().any(|row| row.guarantee.is_some());
    let comparisons = report.comparisons.iter().map(|row| {
        let mut cells = comparison(row);
        cells.extend(guarantees.then(|| row.guarantee.unwrap_or_default().to_owned()));
        cells
    });
    let comparisons = comparisons.collect();
    let figures = report.figures.iter().map(figure).collect();
    let curves = report.curves.iter().flat_map(curve).collect();
    [
        (
            if guarantees {
                "work, against|clients|measured|reference|unit|ratio [min–max]|target|met|reference guarantees"
            } else {
                "work, against|clients|measured|reference|unit|ratio [min–max]|target|met"
            },
            comparisons,
        ),
        ("work|figure|value|unit", figures),
        ("work|growing|number|cost|times the first [min–max]", curves),
    ]
    .into_iter()
    .filter(|(_, rows): &(_, Vec<Row>)| !rows.is_empty())
    .map(|(heading, rows)| {
        let heading = heading.split('|').map(str::to_owned).collect();
        [vec![heading], rows].concat()
    })
    .collect()
}

fn comparison(row: &Comparison) -> Row {
    let median = |values: Vec<f64>| number(Spread::of(values).median);
    let ratio = row.ratio;
    vec![
        format!("{}, against {}", row.work, row.reference),
        row.clients.to_string(),
        median(row.rounds.iter().map(|round| round.measured).collect()),
        median(row.rounds.iter().map(|round| round.reference).collect()),
        row.unit.to_owned(),
        format!("{:.2} [{:.2}–{:.2}]", ratio.median, ratio.min, ratio.max),
        match row.target {
            Some(Target::AtLeast(limit)) => format!("≥ {limit:.2}"),
            Some(Target::AtMost(limit)) => format!("≤ {limit:.2}"),
            None => String::new(),
        },
        match (row.target, row.met) {
            (None, _) => "",
            (Some(_), true) => "yes",
            (Some(_), false) => "no",
        }
        .to_owned(),
    ]
}

fn figure(row: &Figure) -> Row {
    vec![
        row.work.clone(),
        row.what.clone(),
        number(row.value),
        row.unit.to_owned(),
    ]
}

/// A row for each point.
fn curve(curve: &Curve) -> Vec<Row> {
    let rows = curve.points.iter().map(|point| {
        let growth = curve.growth(point);
        vec![
            curve.work.clone(),
            curve.growing.to_owned(),
            Curve::number(point.size),
            curve.cost(point),
            format!("{:.2} [{:.2}–{:.2}]", growth.median, growth.min, growth.max),
        ]
    });
    rows.collect()
}

/// Three digits or more: 12,345 or 123 or 1.23.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
