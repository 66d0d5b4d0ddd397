//! The contents of a report, and that it can be drawn without fonts.

use std::collections::BTreeMap;

use super::*;

fn report() -> Report {
    let machine = Machine {
        cores: 2,
        cpu: "a CPU".to_owned(),
        memory_mib: 2048,
        postgresql: Some("15.9".to_owned()),
        settings: BTreeMap::from([("fsync".to_owned(), "on".to_owned())]),
        date: "2026-01-02 03:04".to_owned(),
    };
    let mut report = Report::new("name", "Title", machine);
    let round = |measured, reference| Round {
        measured,
        reference,
    };
    let rounds = vec![
        round(90.0, 100.0),
        round(120.0, 100.0),
        round(1100.0, 1000.0),
    ];
    report.comparisons.push(Comparison::new(
        "one | event",
        "INSERT",
        16,
        "events/s",
        rounds,
        Some(Target::AtLeast(1.2)),
    ));
    report.figures.push(Figure {
        work: "memory".to_owned(),
        what: "after 1,000 appends".to_owned(),
        value: 1_234_567.0,
        unit: "bytes",
    });
    report
}

#[test]
fn a_target_is_met_from_its_own_side() {
    assert!(Target::AtLeast(1.0).is_met_by(1.0) && !Target::AtLeast(1.0).is_met_by(0.99));
    assert!(Target::AtMost(0.8).is_met_by(0.8) && !Target::AtMost(0.8).is_met_by(0.81));
}

#[test]
fn the_table_gives_the_median_of_the_ratios_not_the_ratio_of_the_medians() {
    let text = report().text();
    assert!(text.contains("1.10 [0.90–1.20]"), "{text}");
    assert!(text.contains("≥ 1.20") && text.contains("no"), "{text}");
    assert!(text.contains("1,234,567"), "{text}");
}

#[test]
fn markdown_begins_with_the_machine_and_escapes_what_would_split_a_cell() {
    let markdown = table::markdown(&report());
    assert!(
        markdown.starts_with("2 cores (a CPU), 2.0 GiB"),
        "{markdown}"
    );
    assert!(markdown.contains("one \\| event"), "{markdown}");
}

#[test]
fn a_plot_needs_no_font_of_the_machine() {
    let png = plot::png(&report()).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    assert!(plot::svg(&report()).unwrap().contains("one | event"));
}
