//! The parts of `cargo xtask test`.
//!
//! Parts that build the same crates name the same packages and features, so that cargo builds them
//! once: one set for everything without PostgreSQL, one for the extension, one for the server
//! tests.

use std::ffi::OsStr;
use std::num::NonZero;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use eventcore_harness::{PG_BIN, PG_CACHE, PG_MAJORS};

use super::{Run, browser, deny, majors, packages, upgrade};
use crate::setup::{self, Installation};

/// One part.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Run<'_>) -> Result<()>,
}

/// Those that run only when they are named: others run the same tests, or they take long and little
/// of what they test changes.
pub(crate) const ONLY_BY_NAME: [Part; 3] = [
    Part {
        name: "upgrade",
        run: upgrade::run,
    },
    Part {
        name: "pg-upgrade",
        run: majors::pg_upgrade,
    },
    Part {
        name: "release",
        run: packages::try_out,
    },
];

/// All others. The last ones are test runners, whose summary a reader expects at the end.
pub(crate) const PARTS: [Part; 10] = [
    Part {
        name: "fmt",
        run: fmt,
    },
    Part {
        name: "clippy",
        run: clippy,
    },
    Part {
        name: "doc",
        run: doc,
    },
    Part {
        name: "deny",
        run: deny::run,
    },
    Part {
        name: "packages",
        run: packages::lint,
    },
    Part {
        name: "unit",
        run: unit,
    },
    Part {
        name: "server",
        run: server,
    },
    Part {
        name: "majors",
        run: majors::run,
    },
    Part {
        name: "browser",
        run: browser::run,
    },
    Part {
        name: "doctests",
        run: doctests,
    },
];

const EXTENSION: &str = "eventcore-extension";
/// How many tests the test runner runs at the same time.
const TEST_THREADS: &str = "RUST_TEST_THREADS";
/// The crates whose tests start servers.
const NEED_SERVER: [&str; 2] = ["eventcore-tests", "eventcore-harness"];

fn fmt(run: &mut Run<'_>) -> Result<()> {
    component(run, "fmt", "rustfmt")?;
    let mut cargo = run.workspace.cargo();
    run.ui
        .run(
            "fmt: cargo fmt --check",
            cargo.args(["fmt", "--all", "--check", "--", "--color=never"]),
        )
        .context("`cargo fmt --all` puts the files in shape")
}

fn clippy(run: &mut Run<'_>) -> Result<()> {
    component(run, "clippy", "clippy")?;
    let mut cargo = run.workspace.cargo();
    cargo.args([
        "clippy",
        "--workspace",
        "--exclude",
        EXTENSION,
        "--all-targets",
        "--all-features",
    ]);
    run.ui.run(
        "clippy: all but the extension",
        cargo.args(["--", "--deny", "warnings"]),
    )?;

    // Different code is compiled for each major.
    let majors = match run.pg {
        None if !setup::is_named_by_environment()? => setup::MAJORS.map(Some).to_vec(),
        only => vec![only],
    };
    for major in majors {
        let headers = setup::headers(run.workspace, run.ui, major)?;
        let mut cargo = run.workspace.cargo();
        cargo.args(["clippy", "--all-targets"]);
        headers.prepare(&mut cargo);
        run.ui.run(
            &format!("clippy: extension for PostgreSQL {}", headers.major),
            cargo.args(["--", "--deny", "warnings"]),
        )?;
    }
    Ok(())
}

fn doc(run: &mut Run<'_>) -> Result<()> {
    let mut cargo = run.workspace.cargo();
    cargo.env("RUSTDOCFLAGS", "--deny warnings");
    cargo.args([
        "doc",
        "--workspace",
        "--exclude",
        EXTENSION,
        "--all-features",
        "--no-deps",
    ]);
    run.ui.run("doc: cargo doc", &mut cargo)
}

fn unit(run: &mut Run<'_>) -> Result<()> {
    let mut cargo = without_server(run);
    runner(run, "unit tests", cargo.args(["--tests", "--"]))
}

fn doctests(run: &mut Run<'_>) -> Result<()> {
    let mut cargo = without_server(run);
    runner(run, "doctests", cargo.args(["--doc", "--"]))
}

fn server(run: &mut Run<'_>) -> Result<()> {
    on_server(run, run.pg, "server tests", &["--tests"])
}

/// Runs tests that need a server, on this major. The packages are always the same, so that cargo
/// builds them once.
pub(super) fn on_server(
    run: &mut Run<'_>,
    pg: Option<u32>,
    title: &str,
    which: &[&str],
) -> Result<()> {
    let installation = setup::run_for_server_tests(run.workspace, run.ui, pg)?;
    let majors = setup::programs_of_all(run.workspace, run.ui, &installation)?;
    on(run, &installation, &majors, title, which, &[])
}

/// Does the same on this installation, with the programs of these majors for `pg_upgrade`, and only
/// the tests with these names if there are any.
pub(super) fn on(
    run: &mut Run<'_>,
    installation: &Installation,
    majors: &OsStr,
    title: &str,
    which: &[&str],
    names: &[&str],
) -> Result<()> {
    let mut cargo = run.workspace.cargo();
    cargo
        .args(["test", "--no-fail-fast", "--all-features"])
        .args(which);
    for package in NEED_SERVER {
        cargo.args(["--package", package]);
    }
    cargo
        .env(PG_BIN, installation.binaries.folder())
        .env(PG_CACHE, installation.cache())
        .env(PG_MAJORS, majors);
    if std::env::var_os(TEST_THREADS).is_none() {
        // These tests mostly wait, for servers that start and for time that passes.
        let processors = available_parallelism().map_or(1, NonZero::get);
        cargo.env(TEST_THREADS, (2 * processors).to_string());
    }
    let title = format!("{title} on PostgreSQL {}", installation.major);
    cargo.arg("--").args(names);
    runner(run, &title, &mut cargo)
}

/// `cargo test` on all that needs no PostgreSQL.
fn without_server(run: &Run<'_>) -> Command {
    let mut cargo = run.workspace.cargo();
    cargo.args([
        "test",
        "--no-fail-fast",
        "--all-features",
        "--workspace",
        "--exclude",
        EXTENSION,
    ]);
    for package in NEED_SERVER {
        cargo.args(["--exclude", package]);
    }
    cargo
}

/// Runs a test runner, whose command ends behind `--`, shows its output, and counts its summary.
fn runner(run: &mut Run<'_>, title: &str, command: &mut Command) -> Result<()> {
    command.args(run.arguments);
    let (counts, failures) = (&mut run.counts, &mut run.failures);
    run.ui.stream(title, command, |line| {
        counts.line(line);
        failures.line(line);
    })
}

/// Makes sure that cargo has a component of Rust that minimal installations leave out.
fn component(run: &Run<'_>, subcommand: &str, component: &str) -> Result<()> {
    let mut cargo = run.workspace.cargo();
    let output = cargo.args([subcommand, "--version"]).output();
    if output.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", component]);
    run.ui
        .run(&format!("{component}: rustup component add"), &mut rustup)
        .with_context(|| format!("{component} is missing: install it beside cargo"))
}
