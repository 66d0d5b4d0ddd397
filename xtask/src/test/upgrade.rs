//! The part `upgrade`: the server tests of updates, on one PostgreSQL major or on all.
//!
//! The part `server` runs them too, so this part runs by its name only. `pg_upgrade` through all majors
//! is the part `pg-upgrade`.

use anyhow::{Context, Result, bail};

use super::{Run, parts};
use crate::setup;

/// The tests: one module of the fire suite.
const TESTS: [&str; 3] = ["--test", "fire", "upgrade::"];

pub(super) fn run(run: &mut Run<'_>) -> Result<()> {
    if !run.arguments.is_empty() {
        bail!(
            "this part takes no arguments: `cargo xtask test server -- upgrade::NAME` runs one test"
        );
    }
    run.ui.say(&format!(
        "upgrade: to version {} from made-up versions and by the scripts {}",
        run.workspace.version,
        setup::released(&run.workspace.root)?.join(", ")
    ));
    if !run.all_pg {
        return parts::on_server(run, run.pg, "upgrades", &TESTS);
    }
    let mut failed = Vec::new();
    for major in setup::MAJORS.into_iter().rev() {
        let tests = parts::on_server(run, Some(major), "upgrades", &TESTS);
        if let Err(error) = tests.with_context(|| format!("PostgreSQL {major}")) {
            run.ui.say(&format!("\n{error:#}\n"));
            failed.push(major.to_string());
        }
    }
    if !failed.is_empty() {
        bail!("on PostgreSQL {}", failed.join(" and "));
    }
    Ok(())
}
