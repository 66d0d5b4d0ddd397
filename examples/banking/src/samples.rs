//! SQL to try after a run on PostgreSQL.

use std::fmt::Write;

/// The statements, as they can be pasted into psql.
const STATEMENTS: &str = include_str!("../samples.sql");

/// The statements with a line before them that says where to try them, given a command that starts
/// psql.
pub(crate) fn text(psql: Option<&str>) -> String {
    let place = match psql {
        Some(command) => format!("in `{command}`"),
        None => "in psql, in the same database".to_owned(),
    };
    let mut text = format!("\nTry it, {place}:\n\n");
    for line in STATEMENTS.lines() {
        let indent = if line.is_empty() { "" } else { "  " };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{indent}{line}");
    }
    text
}
