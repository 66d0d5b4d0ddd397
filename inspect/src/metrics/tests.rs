use std::collections::HashSet;

use super::*;

#[test]
fn each_metric_has_one_name_that_prometheus_takes() {
    let mut names = HashSet::new();
    for query in QUERIES {
        assert!(query.labels.contains(&"datname"), "{}", query.prefix);
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
