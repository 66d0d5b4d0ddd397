//! Converts an error of PostgreSQL to a [`StoreError`], by its SQLSTATE and the JSON in its DETAIL,
//! never by its text.

use deadpool::managed::{self, TimeoutType};
use eventcore_rules::{ErrorCode, ExpectedVersion, VersionConflict};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Error;

use super::server::NoConnection;
use super::sqlstate::{Meaning, Rule, is_in_statement};
use crate::store::StoreError;
use crate::values::{EventId, Position, StreamId};

type PoolError = managed::PoolError<NoConnection>;

/// Tells what to do. The server only says that a function does not exist.
#[derive(Debug, thiserror::Error)]
enum NoFunction {
    #[error(
        "the database has no extension eventcore within its search_path: run CREATE EXTENSION \
         eventcore in it"
    )]
    Extension(#[source] Source),
    #[error(
        "the extension eventcore of the database has version {version}, which lacks a function that \
         this client calls: run ALTER EXTENSION eventcore UPDATE in it"
    )]
    Older {
        version: String,
        #[source]
        source: Source,
    },
}

/// Tells what to do. The server does not say which role has the privilege.
#[derive(Debug, thiserror::Error)]
#[error(
    "commands need GRANT eventcore_reader, eventcore_writer; durable subscriptions, projections and process \
     managers also need eventcore_subscriber"
)]
struct NoRight(#[source] Error);

/// All connections were in use for the whole of `pool_timeout`.
#[derive(Debug, thiserror::Error)]
#[error(
    "all connections of the pool were in use for longer than pool_timeout; a larger pool_size may help"
)]
struct AllInUse(#[source] PoolError);

#[derive(Debug, thiserror::Error)]
#[error("no connection was ready within connect_timeout")]
struct NotReady(#[source] PoolError);

type Source = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn store_error(error: Error) -> StoreError {
    let rule = Rule::of(&error);
    let raised = error.as_db_error();
    let code = raised.and_then(|raised| ErrorCode::from_sqlstate(raised.code().code()));
    if let (Some(code), Some(raised)) = (code, raised) {
        return of_eventcore(code, raised.detail(), raised.message()).with_source(error);
    }
    let meant = match rule.meaning {
        Meaning::Passing => StoreError::transient(error),
        Meaning::TimedOut { passes } => StoreError::timed_out(passes, error),
        Meaning::Denied => StoreError::denied(NoRight(error)),
        Meaning::Untransmittable => StoreError::malformed("a text", None, error),
        Meaning::NoFunction if raised.is_some_and(is_in_statement) => no_function(error, None),
        Meaning::NoFunction | Meaning::OtherSession | Meaning::Final => StoreError::other(error),
    };
    match rule.in_doubt {
        true => meant,
        false => meant.not_done(),
    }
}

/// Nothing was sent.
pub(super) fn no_connection(error: NoConnection) -> StoreError {
    let failed = match error {
        NoConnection::Failed(error) => store_error(error),
        NoConnection::NotReady => StoreError::timed_out(true, error),
        // Another connection may be possible soon.
        NoConnection::NoSuchServer(_) => StoreError::transient(error),
    };
    failed.not_done()
}

/// Whether the extension has no such function, because it is not there or older than the client.
pub(super) fn is_no_function(error: &Error) -> bool {
    Rule::of(error).meaning == Meaning::NoFunction
        && error.as_db_error().is_some_and(is_in_statement)
}

/// The error if [`is_no_function`], with the version of the extension if there is one.
pub(super) fn no_function(error: impl Into<Source>, version: Option<String>) -> StoreError {
    let source = error.into();
    let why = match version {
        None => NoFunction::Extension(source),
        Some(version) => NoFunction::Older { version, source },
    };
    StoreError::coded(ErrorCode::Unavailable, why)
}

pub(super) fn pool_error(error: PoolError) -> StoreError {
    let failed = match error {
        PoolError::Backend(error) => no_connection(error),
        PoolError::Timeout(TimeoutType::Wait) => StoreError::timed_out(true, AllInUse(error)),
        PoolError::Timeout(_) => StoreError::timed_out(true, NotReady(error)),
        other => StoreError::other(other),
    };
    // Without a connection nothing was sent.
    failed.not_done()
}

#[derive(Deserialize)]
struct ConflictsDetail {
    conflicts: Vec<ConflictDetail>,
}

#[derive(Deserialize)]
struct ConflictDetail {
    stream: StreamId,
    expected: Option<i64>,
    actual: u64,
}

#[derive(Deserialize)]
struct StreamDetail {
    stream: StreamId,
}

#[derive(Deserialize)]
struct MalformedDetail {
    argument: String,
    index: Option<usize>,
    field: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
struct MismatchDetail {
    event_ids: Vec<EventId>,
}

/// What does not exist. For a command this may be one of its functions.
#[derive(Deserialize)]
struct NameDetail {
    function: Option<String>,
    #[serde(alias = "subscription", alias = "projection", alias = "command")]
    name: String,
}

/// For a lease, or for a checkpoint, which has no positions.
#[derive(Deserialize)]
struct LostDetail {
    #[serde(default)]
    positions: Vec<Position>,
}

#[derive(Deserialize)]
struct DivergedDetail {
    after: Position,
    agreed: Position,
}

fn of_eventcore(code: ErrorCode, detail: Option<&str>, message: &str) -> StoreError {
    let known = match code {
        ErrorCode::VersionConflict => parse(detail).map(version_conflict),
        ErrorCode::UndeclaredStream => {
            parse(detail).map(|of: StreamDetail| StoreError::undeclared_stream(of.stream))
        }
        ErrorCode::StreamClosed => {
            parse(detail).map(|of: StreamDetail| StoreError::stream_closed(of.stream))
        }
        ErrorCode::Malformed => parse(detail).map(malformed),
        ErrorCode::IdempotencyMismatch => {
            parse(detail).map(|of: MismatchDetail| StoreError::idempotency_mismatch(of.event_ids))
        }
        ErrorCode::UnknownName => parse(detail)
            .map(|of: NameDetail| StoreError::unknown_name(of.function.unwrap_or(of.name))),
        ErrorCode::LeaseLost => {
            parse(detail).map(|lost: LostDetail| StoreError::lease_lost(lost.positions))
        }
        ErrorCode::CommandRejected => parse(detail).map(StoreError::rejected),
        ErrorCode::Diverged => {
            parse(detail).map(|of: DivergedDetail| StoreError::diverged(of.after, of.agreed))
        }
        ErrorCode::Unavailable => None,
    };
    known.unwrap_or_else(|| StoreError::coded(code, message))
}

fn parse<T: DeserializeOwned>(detail: Option<&str>) -> Option<T> {
    serde_json::from_str(detail?).ok()
}

fn version_conflict(found: ConflictsDetail) -> StoreError {
    let conflicts = found.conflicts.into_iter().map(|conflict| VersionConflict {
        stream: conflict.stream,
        expected: ExpectedVersion::from_sql(conflict.expected)
            .unwrap_or(ExpectedVersion::Unchecked),
        actual: conflict.actual,
    });
    StoreError::version_conflict(conflicts.collect())
}

fn malformed(found: MalformedDetail) -> StoreError {
    let argument = match found.field {
        Some(field) => format!("{} ({field})", found.argument),
        None => found.argument,
    };
    StoreError::malformed(argument, found.index, found.reason)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use eventcore_rules::ExpectedVersion::{Exactly, Exists};

    use super::*;

    #[test]
    fn all_conflicts_are_taken_from_the_detail() {
        let detail = r#"{"conflicts": [{"stream": "a", "expected": 1, "actual": 2},
                                       {"stream": "b", "expected": -1, "actual": 0}]}"#;
        let error = of_eventcore(ErrorCode::VersionConflict, Some(detail), "");
        assert!(error.is_version_conflict() && error.is_retriable());
        let stream = |id| StreamId::new(id).unwrap();
        assert_eq!(
            error.conflicts(),
            [
                VersionConflict {
                    stream: stream("a"),
                    expected: Exactly(1),
                    actual: 2
                },
                VersionConflict {
                    stream: stream("b"),
                    expected: Exists,
                    actual: 0
                },
            ]
        );
    }

    #[test]
    fn what_an_error_is_about_is_taken_from_the_detail() {
        let of = |code, detail| of_eventcore(code, Some(detail), "");
        let error = of(
            ErrorCode::UndeclaredStream,
            r#"{"stream": "x", "event": 0}"#,
        );
        assert!(error.is_undeclared_stream() && error.stream().unwrap() == "x");
        let error = of(
            ErrorCode::StreamClosed,
            r#"{"stream": "x", "state": "closed"}"#,
        );
        assert!(error.is_stream_closed() && error.stream().unwrap() == "x");
        let id = EventId::new();
        let detail = format!(r#"{{"event_ids": ["{id}"]}}"#);
        let error = of(ErrorCode::IdempotencyMismatch, &detail);
        assert_eq!(error.mismatched_event_ids(), [id]);
        let error = of(ErrorCode::UnknownName, r#"{"subscription": "mails"}"#);
        assert!(error.is_unknown_name() && error.to_string().contains("mails"));
        let error = of(ErrorCode::UnknownName, r#"{"projection": "balances"}"#);
        assert!(error.is_unknown_name() && error.to_string().contains("balances"));
        let error = of(ErrorCode::UnknownName, r#"{"command": "transfer"}"#);
        assert!(error.is_unknown_name() && error.to_string().contains("transfer"));
        let detail = r#"{"command": "transfer", "function": "public.gone(jsonb)"}"#;
        let error = of(ErrorCode::UnknownName, detail);
        assert!(error.is_unknown_name() && error.to_string().contains("public.gone"));
        let detail = r#"{"command": "transfer", "sqlstate": "BA001", "message": "no", "detail": null, "hint": "less"}"#;
        let error = of(ErrorCode::CommandRejected, detail);
        let rejection = error.rejection().unwrap();
        assert_eq!(
            (rejection.sqlstate.as_str(), rejection.hint.as_deref()),
            ("BA001", Some("less"))
        );
        assert_eq!(
            (rejection.message.as_str(), &rejection.detail),
            ("no", &None)
        );
        let detail = r#"{"subscription": "mails", "lease_id": "x", "positions": [3, 5]}"#;
        let error = of(ErrorCode::LeaseLost, detail);
        assert!(error.is_lease_lost() && !error.is_retriable());
        assert_eq!(error.lost_positions(), [3, 5].map(Position::new));
        let detail = r#"{"projection": "balances", "expected": 1, "actual": 2}"#;
        assert!(of(ErrorCode::LeaseLost, detail).is_lease_lost());
        let detail = r#"{"after": 950, "agreed": 100, "first": 4294967296}"#;
        let error = of(ErrorCode::Diverged, detail);
        assert!(error.is_diverged() && !error.is_retriable());
        assert_eq!(error.agreed_position(), Some(Position::new(100)));
        let detail = r#"{"argument": "events", "index": 3, "field": "type", "reason": "is empty"}"#;
        let error = of(ErrorCode::Malformed, detail);
        assert!(error.is_malformed());
        assert_eq!(error.to_string(), "element 3 of events (type) is malformed");
    }

    #[test]
    fn a_code_is_kept_when_there_is_no_detail_to_understand() {
        for code in ErrorCode::ALL {
            for detail in [None, Some("no JSON"), Some("{}")] {
                assert_eq!(of_eventcore(code, detail, "message").code(), Some(code));
            }
        }
        let conflict = of_eventcore(ErrorCode::VersionConflict, None, "message");
        assert!(conflict.is_version_conflict() && conflict.is_retriable());
    }

    #[test]
    fn a_missing_extension_is_told_with_what_to_do_and_what_the_server_said() {
        let error = no_function("function eventcore_append does not exist", None);
        assert_eq!(error.code(), Some(ErrorCode::Unavailable));
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        assert_eq!(
            text,
            "the store refused the request (SE009): the database has no extension eventcore within its \
             search_path: run CREATE EXTENSION eventcore in it: function eventcore_append does not \
             exist"
        );
    }
}
