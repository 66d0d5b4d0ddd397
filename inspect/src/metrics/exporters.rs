//! The same metrics for exporters that run statements: postgres_exporter and CloudNativePG by
//! `queries.yaml`, sql_exporter by `sql_exporter.yml`.

use std::fmt::Write;

use super::{QUERIES, Query};

/// `queries.yaml`, for `--extend.query-path` of postgres_exporter and `customQueriesConfigMap` of
/// CloudNativePG.
#[must_use]
pub fn postgres_exporter() -> String {
    let mut text = HEAD.to_owned();
    for query in QUERIES {
        let _ = writeln!(text, "\n{}:\n  query: |", query.prefix);
        statement(&mut text, query, "    ");
        text.push_str("  metrics:\n");
        for label in query.labels {
            let _ = writeln!(
                text,
                "    - {label}:\n        usage: LABEL\n        description: {}",
                quoted(label)
            );
        }
        for metric in query.metrics {
            let _ = writeln!(
                text,
                "    - {}:\n        usage: {}\n        description: {}",
                metric.column,
                metric.kind.as_str().to_uppercase(),
                quoted(metric.help)
            );
        }
    }
    text
}

/// A collector of sql_exporter.
#[must_use]
pub fn sql_exporter() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\ncollector_name: eventcore\nmetrics:\n");
    for query in QUERIES {
        for metric in query.metrics {
            let _ = writeln!(
                text,
                "  - metric_name: {}\n    type: {}\n    help: {}\n    key_labels: [{}]\n    values: [{}]\n    query_ref: {}",
                query.name(metric),
                metric.kind.as_str(),
                quoted(metric.help),
                query.labels.join(", "),
                metric.column,
                query.prefix
            );
        }
    }
    text.push_str("queries:\n");
    for query in QUERIES {
        let _ = writeln!(text, "  - query_name: {}\n    query: |", query.prefix);
        statement(&mut text, query, "      ");
    }
    text
}

const HEAD: &str = "\
# The metrics of eventcore. Made by `eventcore metrics`: change inspect/src/metrics, and write this again.
# The functions have to be in the search_path of the role.
";

fn statement(text: &mut String, query: &Query, indent: &str) {
    for line in query.sql.lines() {
        let _ = writeln!(text, "{indent}{line}");
    }
}

/// A scalar of YAML. All texts here are plain.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
