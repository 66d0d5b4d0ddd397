//! `eventcore setup`

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use eventcore_inspect::doctor::{Diagnosis, Severity, diagnose};
use eventcore_inspect::setup::{Obstacle, Plan, Wanted, plan, run as run_statement};
use schemars::JsonSchema;
use serde::Serialize;

use super::doctor::tell;
use crate::arguments::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::safe;
use crate::question;

/// The arguments of `eventcore setup`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The schema of the functions, if the extension is not there yet [default: the first of the
    /// search_path]
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<String>,
    /// A role for an application, which reads, appends and subscribes; may be given several times
    #[arg(long = "application", value_name = "ROLE")]
    applications: Vec<String>,
    /// A role for monitoring, which sees no events; may be given several times
    #[arg(long = "monitor", value_name = "ROLE")]
    monitors: Vec<String>,
    /// Print the SQL, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What was found and done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    #[serde(flatten)]
    plan: Plan,
    /// Whether the statements were run.
    is_done: bool,
    /// What the doctor says afterwards; `null` if nothing could be set up yet.
    diagnosis: Option<Diagnosis>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<ExitCode, Failure> {
    let session = context.writer().await?;
    let plan = plan(&session, &wanted(arguments, context).await?).await?;
    let is_for_people = context.output.format == Format::Table;
    if arguments.dry_run {
        let report = Report {
            plan,
            is_done: false,
            diagnosis: None,
        };
        match is_for_people {
            true => print_script(&report.plan)?,
            false => context.output.json(&report)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report {
        plan,
        is_done: false,
        diagnosis: None,
    };
    if is_for_people {
        tell_plan(&report.plan)?;
    }
    if report.plan.obstacles.is_empty() {
        let count = report.plan.statements.len();
        if count > 0 {
            context
                .confirm(&match count {
                    1 => "this statement is run".to_owned(),
                    _ => format!("these {count} statements are run"),
                })
                .await?;
        }
        for statement in &report.plan.statements {
            run_statement(&session, statement).await?;
            context.output.note(&format!("done: {}", statement.sql))?;
        }
        report.is_done = true;
        drop(session);
        // Another session, which finds the extension.
        report.diagnosis = Some(diagnose(&*context.reader().await?).await?);
    }
    if !is_for_people {
        context.output.json(&report)?;
    } else if let Some(diagnosis) = &report.diagnosis {
        tell(diagnosis, context)?;
    }
    let is_error = |diagnosis: &Diagnosis| {
        let mut findings = diagnosis.findings.iter();
        findings.any(|finding| finding.severity == Severity::Error)
    };
    Ok(match &report.diagnosis {
        Some(diagnosis) if !is_error(diagnosis) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What the options say; without them a person at a terminal is asked for the roles.
async fn wanted(arguments: &Arguments, context: &Context) -> Result<Wanted, Failure> {
    let mut wanted = Wanted {
        schema: arguments.schema.clone(),
        applications: arguments.applications.clone(),
        monitors: arguments.monitors.clone(),
    };
    let is_told = !wanted.applications.is_empty() || !wanted.monitors.is_empty();
    if !is_told && !arguments.dry_run && !context.is_yes() && io::stdin().is_terminal() {
        wanted
            .applications
            .extend(ask("Role of the application").await?);
        wanted.monitors.extend(ask("Role for monitoring").await?);
    }
    Ok(wanted)
}

async fn ask(role: &str) -> Result<Option<String>, Failure> {
    let answer = question::ask(&format!("{role}, if it should have one: ")).await?;
    Ok((!answer.is_empty()).then_some(answer))
}

/// What to run, as psql takes it.
fn print_script(plan: &Plan) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for obstacle in &plan.obstacles {
        writeln!(out, "-- first: {}", safe(&obstacle.message))?;
        for step in &obstacle.steps {
            writeln!(out, "--   {}", safe(step))?;
        }
    }
    for statement in &plan.statements {
        writeln!(out, "{};", safe(&statement.sql))?;
    }
    Ok(out.flush()?)
}

fn tell_plan(plan: &Plan) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "PostgreSQL {}, database {}: {}",
        safe(&plan.server_version),
        safe(&plan.database),
        match &plan.extension_version {
            Some(version) => format!("eventcore {}", safe(version)),
            None => "no eventcore yet".to_owned(),
        }
    )?;
    for Obstacle { message, steps, .. } in &plan.obstacles {
        writeln!(out, "First: {}", safe(message))?;
        for step in steps {
            writeln!(out, "    {}", safe(step))?;
        }
    }
    if !plan.obstacles.is_empty() {
        writeln!(out, "Then run eventcore setup again.")?;
    } else if plan.statements.is_empty() {
        writeln!(out, "There is nothing to set up.")?;
    } else {
        for statement in &plan.statements {
            writeln!(
                out,
                "    {};  -- {}",
                safe(&statement.sql),
                safe(&statement.purpose)
            )?;
        }
    }
    Ok(out.flush()?)
}
