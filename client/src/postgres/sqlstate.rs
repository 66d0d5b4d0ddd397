//! What a SQLSTATE means to the client: whether trying again helps, whether the connection is used
//! again, and whether the statement may have been carried out. This is the only place that decides
//! by a code.
//!
//! Repeating is safe by what was sent, not by the code: an append by its event ids and expected
//! versions, a call of a command by its idempotency key, an acknowledgement by its lease, a batch
//! of a projection by its checkpoint.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition, Severity};

use super::tls;

/// What the client does after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// Five characters, or the two of a class. The longer one counts.
    state: &'static str,
    pub(super) meaning: Meaning,
    /// Whether the next call may use the connection.
    pub(super) keeps_connection: bool,
    /// Whether the statement may have been carried out although it failed.
    pub(super) in_doubt: bool,
    /// When it comes, for the documentation.
    #[cfg_attr(not(test), allow(dead_code))]
    when: &'static str,
}

/// What an error is to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The same again may work.
    Passing,
    /// It took too long. The same again may work if this passes.
    TimedOut { passes: bool },
    /// The user of the connection has no right to it.
    Denied,
    /// A text that PostgreSQL cannot hold.
    Untransmittable,
    /// There is no such function. We call none but the extension's; a function of a command may
    /// call any.
    NoFunction,
    /// The session knows nothing of what was prepared on the connection.
    OtherSession,
    /// The same again fails again.
    Final,
}

use Meaning::{Denied, Final, NoFunction, OtherSession, Passing, TimedOut, Untransmittable};

const KEPT: bool = true;
const CLOSED: bool = false;
const NOT_DONE: bool = false;
const IN_DOUBT: bool = true;

/// What is not listed is final, was not done, and keeps the connection.
const RULES: &[Rule] = &[
    rule(
        "08",
        Passing,
        CLOSED,
        IN_DOUBT,
        "the connection is lost, or cannot be made",
    ),
    rule(
        "0A",
        Final,
        CLOSED,
        NOT_DONE,
        "not supported; also a prepared statement whose result has changed",
    ),
    rule(
        "22021",
        Untransmittable,
        KEPT,
        NOT_DONE,
        "a text with the character U+0000",
    ),
    rule(
        "22P05",
        Untransmittable,
        KEPT,
        NOT_DONE,
        "JSON with the character U+0000",
    ),
    rule(
        "25006",
        Passing,
        CLOSED,
        NOT_DONE,
        "the server or the database takes no writes: a standby, a demoted primary, a freeze",
    ),
    rule(
        "25P03",
        Passing,
        CLOSED,
        NOT_DONE,
        "a transaction was idle for too long",
    ),
    rule(
        "25P04",
        TimedOut { passes: false },
        CLOSED,
        NOT_DONE,
        "transaction_timeout",
    ),
    rule(
        "25",
        Final,
        CLOSED,
        NOT_DONE,
        "another wrong state of the transaction",
    ),
    rule(
        "26",
        OtherSession,
        CLOSED,
        NOT_DONE,
        "no such prepared statement: a pooler changed the session",
    ),
    rule(
        "40003",
        Passing,
        CLOSED,
        IN_DOUBT,
        "it is unknown whether the statement is complete",
    ),
    rule("40002", Final, KEPT, NOT_DONE, "a deferred constraint"),
    rule(
        "40",
        Passing,
        KEPT,
        NOT_DONE,
        "a serialization failure, a deadlock, a conflict with recovery",
    ),
    rule("42501", Denied, KEPT, NOT_DONE, "no right to it"),
    rule(
        "42883",
        NoFunction,
        KEPT,
        NOT_DONE,
        "no such function: the extension is not there",
    ),
    rule(
        "42P05",
        OtherSession,
        CLOSED,
        NOT_DONE,
        "a statement is prepared already: a pooler changed the session",
    ),
    rule(
        "53",
        Passing,
        KEPT,
        NOT_DONE,
        "no memory, no free lock (53200), no disk space (53100), no connection (53300)",
    ),
    rule(
        "53400",
        Final,
        KEPT,
        NOT_DONE,
        "a limit that is configured, such as temp_file_limit",
    ),
    rule(
        "54",
        Final,
        KEPT,
        NOT_DONE,
        "a limit of the server: a row or an index entry is too large, a stack too deep",
    ),
    rule(
        "55P03",
        TimedOut { passes: true },
        KEPT,
        NOT_DONE,
        "lock_timeout",
    ),
    rule(
        "57014",
        TimedOut { passes: false },
        KEPT,
        NOT_DONE,
        "cancelled by statement_timeout or by an operator",
    ),
    rule("57P04", Final, CLOSED, NOT_DONE, "the database was dropped"),
    rule(
        "57P",
        Passing,
        CLOSED,
        IN_DOUBT,
        "the server ends the session, stops, crashed or starts",
    ),
    rule(
        "58P",
        Final,
        CLOSED,
        NOT_DONE,
        "a file of the server is missing, such as the library, or there already",
    ),
    rule(
        "58",
        Passing,
        CLOSED,
        NOT_DONE,
        "an I/O error of the server",
    ),
    rule("72", Passing, KEPT, NOT_DONE, "the snapshot is too old"),
    rule(
        "XX",
        Final,
        CLOSED,
        NOT_DONE,
        "an internal error, damaged data",
    ),
];

/// The connection is lost, and the server did not say why.
const LOST: Rule = RULES[0];

const OTHERWISE: Rule = rule(
    "",
    Final,
    KEPT,
    NOT_DONE,
    "any other error, wrong passwords (28) and missing databases (3D) included",
);

/// Something of our own, such as a value that cannot be read, after the server has answered.
const OURS: Rule = rule("", Final, KEPT, IN_DOUBT, "");

const fn rule(
    state: &'static str,
    meaning: Meaning,
    keeps_connection: bool,
    in_doubt: bool,
    when: &'static str,
) -> Rule {
    Rule {
        state,
        meaning,
        keeps_connection,
        in_doubt,
        when,
    }
}

impl Rule {
    /// The rule for an error of tokio-postgres.
    pub(super) fn of(error: &Error) -> Self {
        match error.as_db_error() {
            Some(raised) => {
                let rule = Self::of_state(raised.code().code());
                let ends_session = matches!(
                    raised.parsed_severity(),
                    Some(Severity::Fatal | Severity::Panic)
                );
                Self {
                    keeps_connection: rule.keeps_connection && !ends_session,
                    ..rule
                }
            }
            None if is_lost(error) => LOST,
            None => OURS,
        }
    }

    fn of_state(state: &str) -> Self {
        let matching = RULES.iter().filter(|rule| state.starts_with(rule.state));
        matching
            .max_by_key(|rule| rule.state.len())
            .copied()
            .unwrap_or(OTHERWISE)
    }

    /// Whether the same again may work.
    pub(super) fn passes(self) -> bool {
        matches!(self.meaning, Passing | TimedOut { passes: true })
    }
}

/// Whether the statement that we sent is what is wrong, not one that a function of a command runs.
pub(super) fn is_in_statement(raised: &DbError) -> bool {
    matches!(raised.position(), Some(ErrorPosition::Original(_)))
}

/// Whether the server refuses who connects, as it does when only encrypted connections are allowed.
pub(super) fn is_refused_at_the_door(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code() == "28000")
}

/// Whether the server tells that a commit is done here, and perhaps on no standby: the wait for the
/// synchronous standbys was cancelled. The code is that of any warning and the text is translated,
/// so this goes by the function of the server that says it.
pub(super) fn is_unconfirmed_commit(notice: &DbError) -> bool {
    notice.parsed_severity() == Some(Severity::Warning)
        && notice.routine() == Some("SyncRepWaitForLSN")
}

/// Whether the connection was lost, or could not be made.
fn is_lost(error: &Error) -> bool {
    if tls::is_of_tls(error) {
        return false;
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        if source.is::<io::Error>() {
            return true;
        }
        cause = source.source();
    }
    error.is_closed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the client's README shows.
    fn documented() -> String {
        let mut table = String::from(
            "| SQLSTATE | when | again? | connection | done? |\n|---|---|---|---|---|\n",
        );
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
        let readme = include_str!("../../README.md");
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
            "08000", "08001", "08003", "08004", "08006", "08P01", "25006", "25P03", "40000",
            "40001", "40003", "40P01", "53000", "53100", "53200", "53300", "55P03", "57P01",
            "57P02", "57P03", "57P05", "58000", "58030", "72000",
        ] {
            assert!(Rule::of_state(passes).passes(), "{passes}");
        }
        for stays in [
            "01000", "0A000", "22021", "22P02", "22P05", "23505", "25P02", "25P04", "26000",
            "28000", "28P01", "3D000", "3F000", "40002", "42501", "42883", "42P01", "42P05",
            "53400", "54000", "54001", "54011", "54023", "55000", "55006", "57014", "57P04",
            "58P01", "58P02", "P0001", "XX000", "XX001", "SE001",
        ] {
            assert!(!Rule::of_state(stays).passes(), "{stays}");
        }
    }

    #[test]
    fn a_connection_that_may_fail_again_is_not_used_again() {
        for closed in [
            "08006", "0A000", "25006", "25P02", "26000", "42P05", "57P01", "57P05", "58P01",
            "XX000",
        ] {
            assert!(!Rule::of_state(closed).keeps_connection, "{closed}");
        }
        for kept in [
            "40001", "40P01", "53100", "53200", "55P03", "57014", "42501", "42883", "23505",
            "SE001",
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
}
