//! The README is true: its SQL runs and returns what the README shows. Its Rust is a doctest of the
//! client.

use crate::support::server_with_workers;

const README: &str = include_str!("../../README.md");

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let block = |rest: &'static str| rest.split_once("\n```").map(|(block, _)| block);
    README.split(&fence).skip(1).filter_map(block).collect()
}

#[test]
fn the_sql_of_the_readme_runs_and_gives_the_two_events_that_it_shows() {
    let [sql] = blocks("sql")[..] else {
        panic!("the README has another number of SQL blocks")
    };
    let server = server_with_workers();
    server.create_empty_database("readme").unwrap();
    let output = server.psql("readme", sql).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("1|2|{1,1}|"), "{output}");
    let shown = blocks("text")[0].lines().skip(2);
    let shown: Vec<String> = shown.map(|row| row.replace(' ', "")).collect();
    let given: Vec<String> = lines[1..].iter().map(|row| row.replace(' ', "")).collect();
    assert_eq!(given, shown);
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let first = blocks("sh")[0];
    assert!(
        first.contains("cargo xtask demo") && first.contains("cargo xtask test"),
        "{first}"
    );
}
