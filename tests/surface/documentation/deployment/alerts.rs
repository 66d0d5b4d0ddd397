//! The alerts of `packaging/prometheus`: Prometheus accepts them, each has a test that sees it fire, and
//! says where to read on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::succeed;
use crate::documentation::page::repository;

fn folder() -> PathBuf {
    repository().join("packaging/prometheus")
}

/// All alerts.
pub(super) fn text() -> String {
    fs::read_to_string(folder().join("alerts.yml")).unwrap()
}

/// The name of each, and its lines.
fn alerts(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("      - alert: ").skip(1);
    let named = blocks.map(|block| block.split_once('\n').unwrap());
    let alerts: Vec<_> = named.collect();
    assert!(alerts.len() > 15, "{alerts:?}");
    alerts
}

#[test]
fn prometheus_accepts_the_alerts_and_their_tests_succeed() {
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let mut promtool = Command::new("promtool");
        succeed(promtool.args(arguments).current_dir(folder()));
    }
}

#[test]
fn a_test_sees_each_alert_fire() {
    let tests = fs::read_to_string(folder().join("alerts_test.yml")).unwrap();
    for (alert, _) in alerts(&text()) {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - ");
        assert!(tests.contains(&fires), "no test sees {alert} fire");
    }
}

#[test]
fn each_alert_names_a_page_and_a_heading_of_the_manual_that_exist() {
    let text = text();
    for (alert, lines) in alerts(&text) {
        let urls = lines.split("runbook_url: ").skip(1);
        let urls: Vec<_> = urls.map(|rest| rest.lines().next().unwrap()).collect();
        assert_eq!(urls.len(), 1, "{alert}");
        let path = urls[0].strip_prefix("https://github.com/eventcore/eventcore/blob/main/");
        let path = path.unwrap_or_else(|| panic!("{alert}: {urls:?}"));
        let (page, heading) = path.split_once('#').unwrap_or((path, ""));
        let page = fs::read_to_string(repository().join(page))
            .unwrap_or_else(|error| panic!("{alert}: {page}: {error}"));
        let anchor = |line: &str| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let is_kept = |letter: &char| letter.is_alphanumeric() || " -_".contains(*letter);
            title
                .chars()
                .filter(is_kept)
                .collect::<String>()
                .replace(' ', "-")
        };
        let mut headings = page.lines().filter(|line| line.starts_with('#'));
        assert!(
            heading.is_empty() || headings.any(|line| anchor(line) == heading),
            "{alert}: {path}"
        );
    }
}

#[test]
fn the_manual_has_a_line_for_each_alert() {
    let page = repository().join("docs/operations/metrics.md");
    let page = fs::read_to_string(page).unwrap();
    for (alert, lines) in alerts(&text()) {
        let severity = lines.split("severity: ").nth(1).unwrap();
        let severity = severity.split('}').next().unwrap();
        let line = format!("| `{alert}` | {severity} |");
        assert!(page.contains(&line), "{line}");
    }
}
