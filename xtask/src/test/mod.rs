//! `cargo xtask test`: every check and every test, in parts that can be run one by one.

mod browser;
mod counts;
mod deny;
mod failures;
mod majors;
mod packages;
mod parts;
mod upgrade;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::PgOption;
use crate::step::Ui;
use crate::workspace::Workspace;
use counts::Counts;
use failures::Failures;
use parts::{ONLY_BY_NAME, PARTS, Part};

/// `cargo xtask test …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// One part: fmt, clippy, doc, deny, packages, unit, server, majors, browser, doctests [default: all, in
    /// this order], or upgrade, pg-upgrade, release
    part: Option<String>,
    /// Test on all four PostgreSQL majors, and pg_upgrade through them [default: all on one, the surface
    /// also on the newest]
    #[arg(long, conflicts_with = "pg")]
    all_pg: bool,
    /// Go on after a part that fails [default in CI]
    #[arg(long)]
    keep_going: bool,
    /// Passed on to the part's test runner: `cargo xtask test server -- append`
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// What a part needs.
pub(crate) struct Run<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) ui: &'a Ui,
    pub(crate) pg: Option<u32>,
    pub(crate) all_pg: bool,
    pub(crate) arguments: &'a [String],
    pub(crate) counts: Counts,
    pub(crate) failures: Failures,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let parts: Vec<&Part> = match &arguments.part {
        None => PARTS.iter().collect(),
        Some(name) => vec![find(name)?],
    };
    if arguments.part.is_none() && !arguments.arguments.is_empty() {
        bail!("arguments after `--` go to one part: `cargo xtask test server -- …`");
    }
    let keep_going = arguments.keep_going || std::env::var_os("CI").is_some();
    let mut run = Run {
        workspace,
        ui,
        pg: arguments.pg.pg,
        all_pg: arguments.all_pg,
        arguments: &arguments.arguments,
        counts: Counts::default(),
        failures: Failures::default(),
    };
    let start = Instant::now();
    let mut failed = Vec::new();
    let mut left = parts.iter();
    for part in left.by_ref() {
        let before = run.counts;
        let done = (part.run)(&mut run);
        run.failures.end();
        if let Err(error) = done {
            run.counts.at_least_one_failure_since(before);
            let reasons: Vec<String> = error.chain().map(ToString::to_string).collect();
            ui.say(&format!(
                "\n{} failed: {}\n",
                part.name,
                reasons.join("\n  because: ")
            ));
            failed.push(part.name);
            if !keep_going {
                break;
            }
        }
    }
    let not_run: Vec<&str> = left.map(|part| part.name).collect();
    if !failed.is_empty() {
        if !run.failures.lines().is_empty() {
            ui.say("\nthe tests that failed, once more:");
        }
        for line in run.failures.lines() {
            ui.say(line);
        }
        ui.say(&format!(
            "failed: {}; see above for the reason",
            failed.join(", ")
        ));
        ui.say(&format!("again, only this: cargo xtask test {}", failed[0]));
    }
    if !not_run.is_empty() {
        ui.say(&format!(
            "not run: {} (`--keep-going` runs them)",
            not_run.join(", ")
        ));
    }
    ui.say(&format!(
        "{} of {} parts in {:.0} s",
        parts.len() - not_run.len() - failed.len(),
        parts.len(),
        start.elapsed().as_secs_f64()
    ));
    ui.answer(&run.counts.to_string());
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `cargo xtask screenshots`: pictures of every page of the console, in both themes and two widths.
pub(crate) fn screenshots(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<ExitCode> {
    let folder = workspace.target.join("screenshots");
    let mut run = Run {
        workspace,
        ui,
        pg,
        all_pg: false,
        arguments: &[],
        counts: Counts::default(),
        failures: Failures::default(),
    };
    browser::pictures(&mut run, &folder)?;
    ui.answer(&folder.display().to_string());
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<&'static Part> {
    let mut all = PARTS.iter().chain(&ONLY_BY_NAME);
    match all.find(|part| part.name == name) {
        Some(part) => Ok(part),
        None => {
            let all = PARTS.iter().chain(&ONLY_BY_NAME);
            let names: Vec<&str> = all.map(|part| part.name).collect();
            bail!("there is no part `{name}`; there are {}", names.join(", "))
        }
    }
}
