//! The doctor: what is wrong with a database, and what repairs it.
//!
//! Each check is a statement that returns a row for each finding. None reads events, but for the one
//! that a subscription or projection waits for.

mod checks;

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

pub use self::checks::CHECKS;
use self::checks::EXTENSION;
use crate::error::{Error, ErrorKind};
use crate::session::Session;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be meant so.
    Note,
    /// It may harm later, or keeps a session waiting.
    Warning,
    /// Something does not work, or events are in danger.
    Error,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name, which stays the same from version to version.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong if it finds something.
    pub meaning: &'static str,
    /// What a person does about it, with the statement or without one; empty if the statement is all.
    pub action: &'static str,
    /// The page of the manual that says more.
    pub see: &'static str,
    /// Whether the statement that it suggests may be run without a person who decides.
    pub is_safe: bool,
    /// Whether nothing goes wrong for it now: it is a setting or a privilege that may harm later.
    pub is_advice: bool,
    /// `None`: `eventcore_check()` finds it.
    sql: Option<&'static str>,
    /// What it can find out for a role that may not read what `sql` reads.
    sql_of_monitor: Option<&'static str>,
}

/// Something that is wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Finding {
    /// The check that found it, or the finding of `eventcore_check()`.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: the name of a subscription, a setting, a process.
    pub object: String,
    /// What is wrong, with the values.
    pub message: String,
    /// The statement that repairs it, if there is one that always does.
    pub statement: Option<String>,
    /// The same as single statements, in their order: some cannot run in a transaction with another.
    #[serde(skip)]
    statements: Vec<String>,
    /// What a person does about it, with the statement or without one; empty if the statement is all.
    pub action: String,
    /// Whether this statement may be run without a person who decides.
    pub is_safe: bool,
    /// Whether nothing goes wrong for it now: it is a setting or a privilege that may harm later.
    pub is_advice: bool,
    /// The page of the manual that says more.
    pub see: &'static str,
}

/// A check that could not be made.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Skipped {
    /// The check.
    pub id: &'static str,
    /// Why.
    pub reason: String,
}

/// What the doctor says.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What goes wrong now, the worst first; then advice, the most urgent first.
    pub findings: Vec<Finding>,
    /// What could not be looked at, because the role may not or the library is not loaded.
    pub skipped: Vec<Skipped>,
}

/// The findings about the library that the server has loaded.
const OF_LIBRARY: [&str; 2] = ["not_preloaded", "version"];

/// The SQLSTATE of a statement that the role may not run.
const NOT_PERMITTED: &str = "42501";

/// The SQLSTATE of an operation that is not available, as without the library.
const UNAVAILABLE: &str = "SE009";

impl Check {
    /// The check of this name.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.id == id)
    }
}

impl Finding {
    /// The three columns of every check, and those that some have: `action` and `severity` of this
    /// finding, and `id` of what `eventcore_check()` has found.
    fn read(check: &Check, row: &Row) -> Result<Self, Error> {
        let statements = match *row.columns()[2].type_() == Type::TEXT_ARRAY {
            true => row
                .try_get::<_, Option<Vec<String>>>(2)?
                .unwrap_or_default(),
            false => row.try_get::<_, Option<String>>(2)?.into_iter().collect(),
        };
        let id = optional(row, "id")?.unwrap_or_else(|| check.id.to_owned());
        let check = Check::named(&id).unwrap_or(check);
        let severity = match optional(row, "severity")?.as_deref() {
            Some("note") => Severity::Note,
            _ => check.severity,
        };
        Ok(Self {
            id,
            severity,
            object: row.try_get(0)?,
            message: row.try_get(1)?,
            statement: (!statements.is_empty()).then(|| statements.join("; ")),
            is_safe: check.is_safe && !statements.is_empty(),
            statements,
            action: optional(row, "action")?.unwrap_or_else(|| check.action.to_owned()),
            is_advice: check.is_advice,
            see: check.see,
        })
    }

    /// What a role may see of it that may not ask `eventcore_check()`: the library refuses its calls.
    fn of_refusal(error: &Error) -> Self {
        let check = EXTENSION;
        Self {
            id: check.id.to_owned(),
            severity: Severity::Error,
            object: "library".to_owned(),
            message: error.to_string(),
            statement: None,
            statements: Vec::new(),
            action: error.hint().unwrap_or(check.action).to_owned(),
            is_safe: false,
            is_advice: false,
            see: check.see,
        }
    }
}

/// A column that only some statements return.
fn optional(row: &Row, name: &str) -> Result<Option<String>, Error> {
    let mut columns = row.columns().iter();
    match columns.position(|column| column.name() == name) {
        Some(index) => Ok(row.try_get(index)?),
        None => Ok(None),
    }
}

/// Makes all checks.
///
/// # Errors
///
/// The connection is lost, or the database has no extension. A check that the role may not make is
/// skipped.
pub async fn diagnose(session: &Session) -> Result<Diagnosis, Error> {
    diagnose_within(session, Duration::MAX).await
}

/// The same, but no check begins after this time: those that are left are skipped. Advice is looked for
/// last.
///
/// # Errors
///
/// Like [`diagnose`].
pub async fn diagnose_within(session: &Session, longest: Duration) -> Result<Diagnosis, Error> {
    session.extension()?;
    let began = Instant::now();
    let mut diagnosis = Diagnosis::default();
    let mut refusal = None;
    let of_now = CHECKS.iter().filter(|check| !check.is_advice);
    let advice = CHECKS.iter().filter(|check| check.is_advice);
    for check in of_now.chain(advice) {
        let Some(sql) = check.sql else { continue };
        if began.elapsed() >= longest {
            diagnosis.skipped.push(Skipped {
                id: check.id,
                reason: format!("the time was up: {} s", longest.as_secs()),
            });
            continue;
        }
        match rows(session, check, sql).await {
            Ok(rows) => {
                for row in &rows {
                    diagnosis.findings.push(Finding::read(check, row)?);
                }
            }
            Err(error) if error.kind() == ErrorKind::NoConnection => return Err(error),
            Err(error) => {
                diagnosis.skipped.push(Skipped {
                    id: check.id,
                    reason: error.to_string(),
                });
                if error.sqlstate() == Some(UNAVAILABLE) {
                    refusal.get_or_insert(error);
                }
            }
        }
    }
    let is_of_library = |finding: &Finding| OF_LIBRARY.contains(&finding.id.as_str());
    if let Some(error) = refusal
        && !diagnosis.findings.iter().any(is_of_library)
    {
        diagnosis.findings.push(Finding::of_refusal(&error));
    }
    let worst_first = |finding: &Finding| (finding.is_advice, Reverse(finding.severity));
    diagnosis.findings.sort_by_key(worst_first);
    Ok(diagnosis)
}

/// What the check finds, or what it finds for a role that may see less.
async fn rows(session: &Session, check: &Check, sql: &'static str) -> Result<Vec<Row>, Error> {
    match session.query(sql, &[]).await {
        Err(error) if error.sqlstate() == Some(NOT_PERMITTED) => match check.sql_of_monitor {
            Some(sql) => session.query(sql, &[]).await,
            None => Err(error),
        },
        rows => rows,
    }
}

/// Runs the statement of a finding, if it is safe to. Returns whether it was run.
///
/// # Errors
///
/// The statement fails, for example because the role may not (42501).
pub async fn fix(session: &Session, finding: &Finding) -> Result<bool, Error> {
    match finding.is_safe {
        true => repair(session, finding).await,
        false => Ok(false),
    }
}

/// Runs the statement of a finding, as a person has decided. Returns whether there is one.
///
/// # Errors
///
/// The statement fails, for example because the role may not (42501).
pub async fn repair(session: &Session, finding: &Finding) -> Result<bool, Error> {
    for statement in &finding.statements {
        // The server wrote it, with its names quoted.
        session.run_batch(statement).await?;
    }
    Ok(!finding.statements.is_empty())
}
