//! The doctor: what is wrong with a database, and what repairs it.
//!
//! Each check is a statement that returns a row for each finding. None reads events, but for the one
//! that a subscription or projection waits for.

mod checks;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

pub use self::checks::CHECKS;
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
    /// The page of the manual that says more.
    pub see: &'static str,
    /// Whether the statement that it suggests may be run without a person who decides.
    pub is_safe: bool,
    sql: &'static str,
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
    /// Whether this statement may be run without a person who decides.
    pub is_safe: bool,
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
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be looked at, because the role may not or the library is not loaded.
    pub skipped: Vec<Skipped>,
}

/// Findings of `eventcore_check()` that its statement repairs without harm.
const SAFE_FINDINGS: [&str; 5] = [
    "disabled_trigger",
    "missing_trigger",
    "orphans",
    "owner_renamed",
    "positions_behind",
];

/// Those that do not stop anything yet.
const MILD_FINDINGS: [&str; 4] = ["owner_renamed", "orphans", "copy", "table_replaced"];

impl Finding {
    /// The three columns of every check; that of `eventcore_check()` has a fourth.
    fn read(check: &Check, row: &Row) -> Result<Self, Error> {
        let mut finding = Self {
            id: check.id.to_owned(),
            severity: check.severity,
            object: row.try_get(0)?,
            message: row.try_get(1)?,
            statement: row.try_get(2)?,
            is_safe: check.is_safe,
            see: check.see,
        };
        if row.len() > 3 {
            finding.id = row.try_get(3)?;
            finding.is_safe = SAFE_FINDINGS.contains(&finding.id.as_str());
            if MILD_FINDINGS.contains(&finding.id.as_str()) {
                finding.severity = Severity::Warning;
            }
        }
        finding.is_safe &= finding.statement.is_some();
        Ok(finding)
    }
}

/// Makes all checks.
///
/// # Errors
///
/// The connection is lost, or the database has no extension. A check that the role may not make is
/// skipped.
pub async fn diagnose(session: &Session) -> Result<Diagnosis, Error> {
    session.extension()?;
    let mut diagnosis = Diagnosis::default();
    for check in CHECKS {
        match session.query(check.sql, &[]).await {
            Ok(rows) => {
                for row in &rows {
                    diagnosis.findings.push(Finding::read(check, row)?);
                }
            }
            Err(error) if error.kind() == ErrorKind::NoConnection => return Err(error),
            Err(error) => diagnosis.skipped.push(Skipped {
                id: check.id,
                reason: error.to_string(),
            }),
        }
    }
    let worst_first = |finding: &Finding| std::cmp::Reverse(finding.severity);
    diagnosis.findings.sort_by_key(worst_first);
    Ok(diagnosis)
}

/// Runs the statement of a finding, if it is safe to. Returns whether it was run.
///
/// # Errors
///
/// The statement fails, for example because the role may not (42501).
pub async fn fix(session: &Session, finding: &Finding) -> Result<bool, Error> {
    match &finding.statement {
        // The server wrote it, with its names quoted.
        Some(statement) if finding.is_safe => {
            session.client().batch_execute(statement).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
