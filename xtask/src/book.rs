//! `cargo xtask book`: the pages of `docs` as a website, made by mdBook.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::setup::install_tool;
use crate::step::Ui;
use crate::workspace::Workspace;

const VERSION: &str = "0.5.4";

pub(crate) fn run(workspace: &Workspace, ui: &Ui) -> Result<ExitCode> {
    let program = install_tool(workspace, ui, "mdbook", VERSION)?;
    let mut build = Command::new(program);
    build.args(["build", "docs"]).current_dir(&workspace.root);
    ui.run("book: mdbook build docs", &mut build)?;
    let first_page = workspace.root.join("target/book/index.html");
    ui.answer(&first_page.display().to_string());
    Ok(ExitCode::SUCCESS)
}
