//! The web page of the example `orders` in a real browser, with its events in memory and in PostgreSQL.

use std::process::Command;

use anyhow::Result;

use super::Run;
use crate::server::{self, PrivateServer};
use crate::setup;

const DATABASE: &str = "eventcore_browser";

pub(super) fn run(run: &mut Run<'_>) -> Result<()> {
    let ui = run.ui;
    setup::ensure_on_path(ui, "node", "nodejs")?;
    setup::ensure_on_path(ui, "npm", "npm")?;
    setup::ensure_program(ui, "chromium", "CHROMIUM", "chromium")?;
    let mut cargo = run.workspace.cargo();
    ui.run(
        "browser: build the example orders",
        cargo.args(["build", "--package", "orders"]),
    )?;
    let tests = run.workspace.root.join("examples/orders/browser-tests");
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts"]);
    ui.run("browser: npm install", npm.current_dir(&tests))?;

    let installation = setup::run(run.workspace, ui, run.pg)?;
    let server = PrivateServer::new(&installation)?;
    let was_running = server.is_running()?;
    server::start(ui, &server, &installation)?;
    {
        let _lock = server.lock(ui)?;
        server.fresh_database(DATABASE)?;
    }
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=spec"])
        .args(run.arguments)
        .current_dir(&tests)
        .env("ORDERS_BIN", run.workspace.target.join("debug/orders"))
        .env("DATABASE_URL", server.loopback_url(DATABASE)?);
    let title = format!("browser tests on PostgreSQL {}", installation.major);
    let counts = &mut run.counts;
    let tested = ui.stream(&title, &mut node, |line| counts.line_of_node(line));
    if !was_running {
        let _lock = server.lock(ui)?;
        server.stop()?;
    }
    tested
}
