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
mod tests;
