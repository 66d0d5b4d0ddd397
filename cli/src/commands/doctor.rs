//! `eventcore doctor`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use eventcore_inspect::doctor::{
    CHECKS, Check, Diagnosis, Finding, Severity, diagnose, fix, repair,
};
use eventcore_inspect::{Error, ErrorKind, Session};
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, counted, left, safe};

/// The arguments of `eventcore doctor`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Exit with 1 if something of this level or a worse one is found
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    fail_on: Level,
    /// Run the statements that do no harm, and look again
    #[arg(long)]
    fix: bool,
    /// Run the statements that this check advises, after asking, and look again
    #[arg(long, value_name = "CHECK", conflicts_with = "fix")]
    repair: Option<String>,
    /// List what is looked for, and connect to nothing
    #[arg(long, conflicts_with_all = ["fix", "repair"])]
    list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    Note,
    Warning,
    Error,
    Never,
}

impl Level {
    fn is_met_by(self, severity: Severity) -> bool {
        match self {
            Self::Note => true,
            Self::Warning => severity >= Severity::Warning,
            Self::Error => severity >= Severity::Error,
            Self::Never => false,
        }
    }
}

/// A check, for the list of them.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    id: &'static str,
    severity: Severity,
    meaning: &'static str,
    /// What a person does about it; empty if the statement is all.
    action: &'static str,
    see: &'static str,
    /// Whether nothing goes wrong for it now: it is a setting or a privilege that may harm later.
    is_advice: bool,
}

impl Row for Listed {
    fn columns() -> Vec<Column> {
        vec![
            left("CHECK"),
            left("LEVEL"),
            left("WHAT IS WRONG"),
            left("SEE"),
        ]
    }

    fn cells(&self, _: Show) -> Vec<String> {
        vec![
            self.id.to_owned(),
            self.severity.as_str().to_owned(),
            self.meaning.to_owned(),
            self.see.to_owned(),
        ]
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<ExitCode, Failure> {
    if arguments.list {
        let listed = CHECKS.iter().map(|check| Listed {
            id: check.id,
            severity: check.severity,
            meaning: check.meaning,
            action: check.action,
            see: check.see,
            is_advice: check.is_advice,
        });
        context.output.rows(&listed.collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let diagnosis = if arguments.fix {
        let session = context.writer().await?;
        let diagnosis = diagnose(&session).await?;
        match fix_all(&session, &diagnosis, context).await? {
            0 => diagnosis,
            _ => diagnose(&session).await?,
        }
    } else if let Some(check) = &arguments.repair {
        if Check::named(check).is_none() {
            let message = format!("there is no check {check:?}: eventcore doctor --list shows all");
            return Err(Failure::Usage(message));
        }
        let session = context.writer().await?;
        let diagnosis = diagnose(&session).await?;
        if !repair_all(&session, &diagnosis, check, context).await? {
            return Ok(ExitCode::SUCCESS);
        }
        diagnose(&session).await?
    } else {
        let session = context.reader().await?;
        diagnose(&session).await?
    };
    match context.output.format {
        Format::Table => tell(&diagnosis, context)?,
        Format::Json | Format::Jsonl => context.output.json(&diagnosis)?,
    }
    let is_bad = |finding: &Finding| arguments.fail_on.is_met_by(finding.severity);
    Ok(match diagnosis.findings.iter().any(is_bad) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Runs the statements that do no harm. Returns how many.
async fn fix_all(
    session: &Session,
    diagnosis: &Diagnosis,
    context: &Context,
) -> Result<usize, Failure> {
    let mut fixed = 0;
    for finding in &diagnosis.findings {
        if fix(session, finding).await? {
            let statement = finding.statement.as_deref().unwrap_or_default();
            context
                .output
                .note(&format!("fixed {}: {statement}", finding.id))?;
            fixed += 1;
        }
    }
    Ok(fixed)
}

/// Runs the statements of the findings of this check, each after asking. Returns whether there are such
/// findings.
async fn repair_all(
    session: &Session,
    diagnosis: &Diagnosis,
    check: &str,
    context: &Context,
) -> Result<bool, Failure> {
    let of_this = |finding: &&Finding| finding.id == check;
    let findings: Vec<&Finding> = diagnosis.findings.iter().filter(of_this).collect();
    if findings.is_empty() {
        match diagnosis.skipped.iter().find(|skipped| skipped.id == check) {
            Some(skipped) => {
                let message = format!("the check {check} could not be made: {}", skipped.reason);
                return Err(Error::new(ErrorKind::Failed, message).into());
            }
            None => {
                let words = format!("nothing to repair: the check {check} finds nothing");
                context.output.done(&words, &diagnosis)?;
                return Ok(false);
            }
        }
    }
    for finding in findings {
        let Some(statement) = &finding.statement else {
            let (object, action) = (&finding.object, &finding.action);
            let message = format!("no statement repairs {check} of {object}. {action}");
            return Err(Failure::Usage(message));
        };
        if !finding.action.is_empty() {
            context.output.note(&finding.action)?;
        }
        context
            .confirm(&format!("{}: {statement}", finding.object))
            .await?;
        repair(session, finding).await?;
        context.output.note(&format!("done: {statement}"))?;
    }
    Ok(true)
}

/// Tells people what is wrong.
pub(super) fn tell(diagnosis: &Diagnosis, context: &Context) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut is_advice = false;
    for finding in &diagnosis.findings {
        if finding.is_advice && !is_advice {
            writeln!(out, "Advice, of which nothing goes wrong now:")?;
            is_advice = true;
        }
        let severity = context.output.severity(finding.severity);
        let (id, object) = (safe(&finding.id), safe(&finding.object));
        writeln!(out, "{severity}  {id}  {object}")?;
        writeln!(out, "         {}", safe(&finding.message))?;
        if let Some(statement) = &finding.statement {
            let option = match finding.is_safe {
                true => "--fix".to_owned(),
                false => format!("--repair {}", safe(&finding.id)),
            };
            writeln!(
                out,
                "         {};  -- or: eventcore doctor {option}",
                safe(statement)
            )?;
        }
        if !finding.action.is_empty() {
            writeln!(out, "         {}", safe(&finding.action))?;
        }
        writeln!(out, "         see {}", finding.see)?;
    }
    let count = |severity: Severity| {
        let of_this = |finding: &&Finding| finding.severity == severity;
        let found = diagnosis.findings.iter().filter(of_this).count();
        counted(found as i64, severity.as_str())
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    writeln!(out, "{}", counts.join(", "))?;
    out.flush()?;
    if !diagnosis.skipped.is_empty() {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for skipped in &diagnosis.skipped {
            by_reason
                .entry(&skipped.reason)
                .or_default()
                .push(skipped.id);
        }
        for (reason, ids) in by_reason {
            context
                .output
                .note(&format!("not looked at: {} ({reason})", ids.join(", ")))?;
        }
    }
    Ok(())
}
