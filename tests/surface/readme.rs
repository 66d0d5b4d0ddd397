//! The README is true: its SQL runs, and gives what it says. Its Rust is a doctest of the client.

use crate::support::server_with_workers;

const README: &str = include_str!("../../README.md");

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let block = |rest: &'static str| rest.split_once("\n```").map(|(block, _)| block);
    README.split(&fence).skip(1).filter_map(block).collect()
}

#[test]
fn the_sql_of_the_readme_runs_and_gives_two_events_that_are_consumed_a_transfer_and_balances() {
    let blocks = blocks("sql");
    assert_eq!(blocks.len(), 4);
    // Projections want a worker besides the notifier.
    let server = server_with_workers();
    server.create_empty_database("readme").unwrap();
    let output = server.psql("readme", blocks[0]).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("1|2|{1,1}|"), "{output}");
    assert_eq!(
        lines[1..],
        [
            r#"1|account-ada|1|Withdrawn|{"cents": 70}"#,
            r#"2|account-bob|1|Deposited|{"cents": 70}"#,
        ]
    );
    let output = server.psql("readme", blocks[1]).unwrap();
    assert!(
        output.contains(r#"|2|account-bob|{"cents": 70}"#),
        "{output}"
    );
    let output = server.psql("readme", blocks[2]).unwrap();
    assert!(
        output.trim().ends_with("{account-bob,account-ada}|{2,2}"),
        "{output}"
    );
    let output = server.psql("readme", blocks[3]).unwrap();
    assert!(
        output.trim().ends_with("account-ada|-20\naccount-bob|20"),
        "{output}"
    );
    let left = "SELECT count(*) FROM eventcore.deliveries";
    assert_eq!(server.psql("readme", left).unwrap().trim(), "0");
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let first = blocks("sh")[0];
    assert!(
        first.contains("cargo xtask demo") && first.contains("cargo xtask test"),
        "{first}"
    );
}
