//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write;

use super::{Collected, Family, Kind};

/// The values as Prometheus reads them. They begin with `eventcore_up`, and end with what the scrape
/// itself took.
#[must_use]
pub fn text(collected: &Collected) -> String {
    let mut text = String::new();
    simple(
        &mut text,
        "eventcore_up",
        Kind::Gauge,
        "Whether the database answers.",
        1.0,
    );
    for family in &collected.families {
        write_family(&mut text, family);
    }
    let help = "How long it took to read these values.";
    simple(
        &mut text,
        "eventcore_scrape_duration_seconds",
        Kind::Gauge,
        help,
        collected.seconds,
    );
    let name = "eventcore_scrape_errors";
    header(
        &mut text,
        name,
        Kind::Gauge,
        "1 for each query that could not be run.",
    );
    for (query, _) in &collected.failed {
        sample(&mut text, name, &["query"], &[query.prefix.to_owned()], 1.0);
    }
    text
}

/// What is said if the database does not answer.
#[must_use]
pub fn down() -> String {
    let mut text = String::new();
    simple(
        &mut text,
        "eventcore_up",
        Kind::Gauge,
        "Whether the database answers.",
        0.0,
    );
    text
}

fn write_family(text: &mut String, family: &Family) {
    for (place, metric) in family.query.metrics.iter().enumerate() {
        let name = family.query.name(metric);
        header(text, &name, metric.kind, metric.help);
        for (labels, values) in &family.rows {
            if let Some(value) = values[place] {
                sample(text, &name, family.query.labels, labels, value);
            }
        }
    }
}

fn simple(text: &mut String, name: &str, kind: Kind, help: &str, value: f64) {
    header(text, name, kind, help);
    sample(text, name, &[], &[], value);
}

// Writing to a String cannot fail.
fn header(text: &mut String, name: &str, kind: Kind, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {}",
        kind.as_str()
    );
}

fn sample(text: &mut String, name: &str, labels: &[&str], values: &[String], value: f64) {
    text.push_str(name);
    let mut separator = '{';
    for (label, value) in labels.iter().zip(values) {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        let _ = write!(text, "{separator}{label}=\"{value}\"");
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}
