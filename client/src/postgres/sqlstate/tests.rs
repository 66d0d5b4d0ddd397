//! The rules: what they decide for each SQLSTATE, and that the README shows them.

use super::*;

/// What the client's README shows.
fn documented() -> String {
    let mut table =
        String::from("| SQLSTATE | when | again? | connection | done? |\n|---|---|---|---|---|\n");
    for rule in RULES.iter().chain([&OTHERWISE]) {
        let state = match rule.state {
            "" => "others".to_owned(),
            state if state.len() < 5 => format!("`{state}…`"),
            state => format!("`{state}`"),
        };
        let again = if rule.passes() { "yes" } else { "no" };
        let connection = if rule.keeps_connection {
            "kept"
        } else {
            "closed"
        };
        let done = if rule.in_doubt { "unknown" } else { "no" };
        let when = rule.when;
        table += &format!("| {state} | {when} | {again} | {connection} | {done} |\n");
    }
    table
}

#[test]
fn the_table_is_the_one_of_the_readme() {
    let readme = include_str!("../../../README.md");
    let table = documented();
    assert!(readme.contains(&table), "client/README.md needs:\n{table}");
}

#[test]
fn a_code_goes_before_its_class_and_each_has_one_rule() {
    let mut states: Vec<_> = RULES.iter().map(|rule| rule.state).collect();
    states.sort_unstable();
    states.dedup();
    assert_eq!(states.len(), RULES.len());
    assert_eq!(Rule::of_state("25006").meaning, Passing);
    assert_eq!(Rule::of_state("25P02").meaning, Final);
    assert_eq!(Rule::of_state("57P04").meaning, Final);
    assert_eq!(Rule::of_state("40002").meaning, Final);
    assert_eq!(LOST.state, "08");
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    for passes in [
        "08000", "08001", "08003", "08004", "08006", "08P01", "25006", "25P03", "40000", "40001",
        "40003", "40P01", "53000", "53100", "53200", "53300", "55P03", "57P01", "57P02", "57P03",
        "57P05", "58000", "58030", "72000",
    ] {
        assert!(Rule::of_state(passes).passes(), "{passes}");
    }
    for stays in [
        "01000", "0A000", "22021", "22P02", "22P05", "23505", "25P02", "25P04", "26000", "28000",
        "28P01", "3D000", "3F000", "40002", "42501", "42883", "42P01", "42P05", "53400", "54000",
        "54001", "54011", "54023", "55000", "55006", "57014", "57P04", "58P01", "58P02", "P0001",
        "XX000", "XX001", "SE001",
    ] {
        assert!(!Rule::of_state(stays).passes(), "{stays}");
    }
}

#[test]
fn a_connection_that_may_fail_again_is_not_used_again() {
    for closed in [
        "08006", "0A000", "25006", "25P02", "26000", "42P05", "57P01", "57P05", "58P01", "XX000",
    ] {
        assert!(!Rule::of_state(closed).keeps_connection, "{closed}");
    }
    for kept in [
        "40001", "40P01", "53100", "53200", "55P03", "57014", "42501", "42883", "23505", "SE001",
    ] {
        assert!(Rule::of_state(kept).keeps_connection, "{kept}");
    }
}

#[test]
fn only_a_lost_session_leaves_it_unknown_what_was_done() {
    for unknown in ["08006", "08007", "40003", "57P01", "57P02"] {
        assert!(Rule::of_state(unknown).in_doubt, "{unknown}");
    }
    for not_done in [
        "25006", "40001", "40P01", "53200", "55P03", "57014", "XX000", "SE001",
    ] {
        assert!(!Rule::of_state(not_done).in_doubt, "{not_done}");
    }
}
