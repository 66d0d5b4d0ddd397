//! The session of the README is what the program prints.

use std::process::Command;

use crate::support::{Database, Ran, program};

const README: &str = include_str!("../../README.md");

/// The text with each time replaced, so that only their places are compared.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| word.len() == 27 && word.starts_with("20") && word.ends_with('Z');
    let masked = text.split(' ').map(|word| match is_time(word) {
        true => "2000-01-01T00:00:00.000000Z",
        false => word,
    });
    masked.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_session_of_the_readme_is_true() {
    let database = Database::new("cli_readme");
    let sql = README
        .split("```sql\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    database.sql(&sql.replace("CREATE EXTENSION eventcore;", ""));
    let session = README
        .split("```text\n$ ")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    for step in session.split("\n$ ") {
        let (line, shown) = step.split_once('\n').unwrap();
        // The program by its name, as a person calls it.
        let called = line.replace(
            "eventcore ",
            &format!("{} ", program().get_program().display()),
        );
        let ran = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {called}")])
            .env("EVENTCORE_URL", &database.url)
            .output();
        let ran = Ran::of(ran.unwrap());
        assert_eq!(
            without_times(ran.out.trim_end()),
            without_times(shown.trim_end()),
            "{line}"
        );
    }
}

#[test]
fn the_manual_lists_every_check_of_the_doctor() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/cli.md");
    let page = std::fs::read_to_string(page).unwrap();
    for check in eventcore_inspect::doctor::CHECKS {
        let row = format!("| `{}` | {} |", check.id, check.severity.as_str());
        assert!(page.contains(&row), "{row}");
    }
}
