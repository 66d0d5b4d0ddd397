use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::*;

#[test]
fn each_metric_has_one_name_that_prometheus_takes() {
    let mut names = HashSet::new();
    for query in QUERIES {
        assert!(query.labels.contains(&"datname"), "{}", query.prefix);
        // postgres_exporter gives every metric this label, and ends if a query has it too.
        assert!(!query.labels.contains(&"server"), "{}", query.prefix);
        for metric in query.metrics {
            let name = query.name(metric);
            assert!(
                name.chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_'),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            assert!(metric.help.ends_with('.'), "{name}");
            assert!(query.sql.contains(metric.column), "{name}");
            assert!(names.insert(name), "twice: {}", query.name(metric));
        }
    }
}

#[test]
fn a_label_cannot_break_out_of_its_quotes() {
    let query = QUERIES
        .iter()
        .find(|query| query.prefix == "eventcore_checkpoint")
        .unwrap();
    let name = "a\"} 1\nevil{x=\"\\".to_owned();
    let collected = Collected {
        families: vec![Family {
            query,
            rows: vec![(vec!["shop".to_owned(), name], vec![Some(7.0), None])],
        }],
        ..Collected::default()
    };
    let text = text(&collected);
    let line =
        r#"eventcore_checkpoint_position{datname="shop",projection="a\"} 1\nevil{x=\"\\"} 7"#;
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(!text.contains("eventcore_checkpoint_changed_time_seconds{"));
}

/// What the dashboard does not show: times at which counting began.
const NOT_SHOWN: [&str; 3] = [
    "eventcore_store_counters_start_time_seconds",
    "eventcore_notifier_start_time_seconds",
    "eventcore_workers_last_error_time_seconds",
];

/// What belongs to the scrape itself.
const OF_THE_SCRAPE: [&str; 3] = [
    "eventcore_up",
    "eventcore_scrape_duration_seconds",
    "eventcore_scrape_errors",
];

fn known() -> BTreeSet<String> {
    let of = |query: &'static Query| query.metrics.iter().map(|metric| query.name(metric));
    let own = OF_THE_SCRAPE.map(ToOwned::to_owned);
    QUERIES.iter().flat_map(of).chain(own).collect()
}

/// The names of metrics in an expression of Prometheus.
fn names(expression: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = expression.split(|letter| !is_part(letter));
    let ours = words.filter(|word| word.starts_with("eventcore_"));
    ours.map(ToOwned::to_owned).collect()
}

#[test]
fn the_dashboard_shows_every_metric_but_those_that_are_excused_and_no_other() {
    let shown: BTreeSet<_> = dashboard::expressions().flat_map(names).collect();
    let excused = NOT_SHOWN.map(ToOwned::to_owned).into_iter().collect();
    assert_eq!(&known() - &excused, shown);
}

#[test]
fn only_what_never_falls_has_a_rate() {
    for expression in dashboard::expressions() {
        for function in ["rate(", "increase("] {
            for rest in expression.split(function).skip(1) {
                let name = rest.split(['{', '[']).next().unwrap_or_default();
                assert!(name.ends_with("_total"), "{expression}");
            }
        }
    }
}

#[test]
fn the_panels_of_the_dashboard_have_their_own_places_and_numbers() {
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let of = |key: &str| panels.iter().map(|panel| panel[key].to_string()).collect();
    let (numbers, places): (HashSet<String>, HashSet<String>) = (of("id"), of("gridPos"));
    assert_eq!((numbers.len(), places.len()), (panels.len(), panels.len()));
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    let expected = [
        "Overview",
        "Readers",
        "Subscriptions",
        "Projections",
        "Storage",
    ];
    assert_eq!(rows, expected);
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_metric_of_an_alert_exists() {
    let file = repository().join("packaging/prometheus/alerts.yml");
    let alerts = std::fs::read_to_string(file).unwrap();
    let used = names(&alerts);
    assert!(used.len() > 10, "{used:?}");
    assert_eq!(&used - &known(), BTreeSet::new());
}

/// `EVENTCORE_WRITE_METRICS=1` writes them.
#[test]
fn the_files_in_the_repository_are_those_that_are_made_here() {
    for (path, text) in [
        ("packaging/prometheus/queries.yaml", postgres_exporter()),
        ("packaging/prometheus/sql_exporter.yml", sql_exporter()),
        ("packaging/grafana/eventcore.json", dashboard()),
        ("examples/orders/deploy/queries.yaml", postgres_exporter()),
    ] {
        let file = repository().join(path);
        if std::env::var_os("EVENTCORE_WRITE_METRICS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "{path} differs: EVENTCORE_WRITE_METRICS=1 cargo test -p eventcore-inspect metrics"
        );
    }
}
