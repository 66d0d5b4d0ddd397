//! Pages in a real browser: the web page of the example `orders`, and the console.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Run;
use crate::server::{self, PrivateServer};
use crate::setup::{self, Installation};

/// Tests in JavaScript, with the program that they test.
struct Suite {
    name: &'static str,
    folder: &'static str,
    package: &'static str,
    program: &'static str,
    /// The variable that leads the tests to the program.
    variable: &'static str,
}

const SUITES: [Suite; 2] = [
    Suite {
        name: "orders",
        folder: "examples/orders/browser-tests",
        package: "orders",
        program: "orders",
        variable: "ORDERS_BIN",
    },
    Suite {
        name: "console",
        folder: "console/browser-tests",
        package: "eventcore-cli",
        program: "eventcore",
        variable: "EVENTCORE_BIN",
    },
];

const DATABASE: &str = "eventcore_browser";

/// The variable for the folder of the pictures that the tests take of the pages.
const PICTURES: &str = "SCREENSHOTS";

/// Both suites, or the one that the first argument names: `cargo xtask test browser -- console tail.test.js`.
pub(super) fn run(run: &mut Run<'_>) -> Result<()> {
    let named = run.arguments.first();
    let named = named.and_then(|name| SUITES.iter().find(|suite| suite.name == name));
    match named {
        Some(suite) => test(run, std::slice::from_ref(suite), &run.arguments[1..], None),
        None => test(run, &SUITES, run.arguments, None),
    }
}

/// Takes pictures of every page of the console.
pub(crate) fn pictures(run: &mut Run<'_>, folder: &Path) -> Result<()> {
    let [_, console] = &SUITES;
    let pages = ["pages.test.js".to_owned()];
    test(run, std::slice::from_ref(console), &pages, Some(folder))
}

fn test(
    run: &mut Run<'_>,
    suites: &[Suite],
    arguments: &[String],
    pictures: Option<&Path>,
) -> Result<()> {
    let ui = run.ui;
    setup::ensure_on_path(ui, "node", "nodejs")?;
    setup::ensure_on_path(ui, "npm", "npm")?;
    setup::ensure_program(ui, "chromium", "CHROMIUM", "chromium")?;
    for suite in suites {
        let mut cargo = run.workspace.cargo();
        let title = format!("browser: build {}", suite.name);
        ui.run(&title, cargo.args(["build", "--package", suite.package]))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts"])
            .current_dir(run.workspace.root.join(suite.folder));
        ui.run(
            &format!("browser: npm install for {}", suite.name),
            &mut npm,
        )?;
    }

    let installation = setup::run(run.workspace, ui, run.pg)?;
    let server = PrivateServer::new(&installation)?;
    let was_running = server.is_running()?;
    server::start(ui, &server, &installation)?;
    let mut tested = Ok(());
    for suite in suites {
        let node = node(run, suite, &server, &installation);
        let mut node = node?;
        node.args(arguments);
        if let Some(folder) = pictures {
            node.env(PICTURES, folder);
        }
        let title = format!(
            "{} in a browser, PostgreSQL {}",
            suite.name, installation.major
        );
        let (counts, failures) = (&mut run.counts, &mut run.failures);
        let one = ui.stream(&title, &mut node, |line| {
            counts.line_of_node(line);
            failures.line_of_node(line);
        });
        failures.end();
        tested = tested.and(one);
    }
    if !was_running {
        let _lock = server.lock(ui)?;
        server.stop()?;
    }
    tested
}

/// The tests of a suite, one file after the other: some of them end the server.
fn node(
    run: &Run<'_>,
    suite: &Suite,
    server: &PrivateServer,
    installation: &Installation,
) -> Result<Command> {
    {
        let _lock = server.lock(run.ui)?;
        server.fresh_database(DATABASE)?;
    }
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .current_dir(run.workspace.root.join(suite.folder))
        .env(
            suite.variable,
            run.workspace.target.join("debug").join(suite.program),
        )
        .env("DATABASE_URL", server.loopback_url(DATABASE)?)
        .env("PSQL", installation.binaries.folder().join("psql"))
        .env("PG_MAJOR", installation.major.to_string())
        .env(
            "XTASK",
            std::env::current_exe().context("cannot tell where xtask is")?,
        );
    Ok(node)
}
