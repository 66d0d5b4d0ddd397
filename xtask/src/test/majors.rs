//! The part `majors`: the surface suite on other PostgreSQL majors than the one that all parts use.
//!
//! It shows what each function does there. What crashes, races and hangs is tested on one major, and
//! on each with `--pg N`. With `--all-pg`, `pg_upgrade` from each major to the next one follows.

use anyhow::{Context, Result, bail};

use super::{Run, parts};
use crate::setup;

pub(super) fn run(run: &mut Run<'_>) -> Result<()> {
    if run.pg.is_some() || setup::is_named_by_environment()? {
        run.ui
            .say("majors: one is named, and the part server tests it");
        return Ok(());
    }
    let main = setup::run_for_server_tests(run.workspace, run.ui, None)?.major;
    let mut failed = Vec::new();
    for major in others(main, run.all_pg) {
        let tests = parts::on_server(run, Some(major), "surface", &["--test", "surface"]);
        if let Err(error) = tests.with_context(|| format!("PostgreSQL {major}")) {
            run.ui.say(&format!("\n{error:#}\n"));
            failed.push(format!("on PostgreSQL {major}"));
        }
    }
    if run.all_pg
        && run.arguments.is_empty()
        && let Err(error) = pg_upgrade(run)
    {
        run.ui.say(&format!("\n{error:#}\n"));
        failed.push("pg_upgrade".to_owned());
    }
    if !failed.is_empty() {
        bail!("{}", failed.join(", "));
    }
    Ok(())
}

/// `pg_upgrade` through all majors, one after the other, and within each of them.
pub(super) fn pg_upgrade(run: &mut Run<'_>) -> Result<()> {
    if run.pg.is_some() || setup::is_named_by_environment()? {
        bail!("pg_upgrade goes through all majors: name none");
    }
    let installations = setup::run_for_pg_upgrade(run.workspace, run.ui)?;
    let folders = installations.iter().map(|it| it.binaries.folder());
    let majors = std::env::join_paths(folders)?;
    let newest = installations.last().context("there is no major")?;
    let title = "pg_upgrade through all majors";
    parts::on(
        run,
        newest,
        &majors,
        title,
        &["--test", "fire"],
        &["upgrade::majors", "upgrade::pg_upgrade"],
    )
}

/// All majors but the main one; or only the oldest and the newest.
fn others(main: u32, all: bool) -> Vec<u32> {
    let ends = [setup::MAJORS.first(), setup::MAJORS.last()];
    let wanted = |major: &u32| *major != main && (all || ends.contains(&Some(major)));
    setup::MAJORS.into_iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_and_the_newest_major_are_always_tested() {
        assert_eq!(others(15, false), [18]);
        assert_eq!(others(18, false), [15]);
        assert_eq!(others(17, false), [18, 15]);
    }

    #[test]
    fn all_majors_are_tested_when_asked_for() {
        assert_eq!(others(17, true), [18, 16, 15]);
    }
}
