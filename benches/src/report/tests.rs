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
    report.curves.push(Curve {
        work: "an append".to_owned(),
        growing: "events",
        unit: "µs",
        points: [(0, [50.0, 100.0, 60.0]), (100_000, [100.0, 100.0, 90.0])]
            .map(|(size, costs)| Point {
                size,
                costs: costs.to_vec(),
            })
            .to_vec(),
    });
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
    let png = picture::png(&plot::Bars(&report())).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    assert!(
        picture::svg(&plot::Bars(&report()))
            .unwrap()
            .contains("one | event")
    );
}

#[test]
fn a_curve_is_drawn_and_listed_with_its_multiples_of_the_smallest_size() {
    let report = report();
    let svg = picture::svg(&lines::Lines(&report)).unwrap();
    for part in ["an append", "none", "100 k", "60.0 µs"] {
        assert!(svg.contains(part), "no {part}");
    }
    assert!(
        picture::png(&lines::Lines(&report))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    let text = report.text();
    // The rounds are compared one by one: 2, 1 and 1.5 times.
    assert!(text.contains("1.50 [1.00–2.00]"), "{text}");
}

#[test]
fn sizes_are_written_for_people() {
    let sizes = [
        0, 500, 2000, 20_000, 500_000, 1_000_000, 2_500_000, 1_234_567,
    ];
    let written = sizes.map(Curve::number).join(" ");
    assert_eq!(written, "0 500 2,000 20 k 500 k 1 M 2.5 M 1234 k");
}
