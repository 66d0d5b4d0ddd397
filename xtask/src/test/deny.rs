//! Licences, bans and sources of all dependencies, checked with cargo-deny when the dependencies
//! have changed.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::Run;
use crate::setup::install_tool;
use crate::stamp::{Stamp, write_stamp};
use crate::workspace::Workspace;

const VERSION: &str = "0.20.2";

pub(crate) fn run(run: &mut Run<'_>) -> Result<()> {
    let workspace = run.workspace;
    // Shared by all clones, like the tool: a set of dependencies that has passed once passes
    // everywhere.
    let passed = workspace
        .tool("cargo-deny", VERSION)
        .join("passed")
        .join(dependencies(workspace)?);
    if passed.exists() {
        run.ui
            .step("deny: licences, bans and sources")
            .done_with("no dependency has changed");
        return Ok(());
    }
    let program = install_tool(workspace, run.ui, "cargo-deny", VERSION)?;
    let mut fetch = workspace.cargo();
    run.ui.run(
        "deny: fetch the dependencies of all platforms",
        fetch.arg("fetch"),
    )?;
    let mut check = Command::new(program);
    workspace.prepare(&mut check);
    check.args([
        "--offline",
        "--all-features",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    run.ui.run("deny: licences, bans and sources", &mut check)?;
    write_stamp(&passed, "")
}

/// A hash of everything that determines the dependencies.
fn dependencies(workspace: &Workspace) -> Result<String> {
    let mut stamp = Stamp::default();
    for file in ["Cargo.lock", "Cargo.toml", "deny.toml"] {
        stamp = stamp.text(&fs::read_to_string(workspace.root.join(file))?);
    }
    for member in members(&fs::read_to_string(workspace.root.join("Cargo.toml"))?) {
        stamp = stamp.text(&fs::read_to_string(
            workspace.root.join(member).join("Cargo.toml"),
        )?);
    }
    Ok(stamp.finish())
}

/// The folders that the workspace's list of members names.
fn members(manifest: &str) -> Vec<&str> {
    let after = manifest
        .split_once("\nmembers = [")
        .map_or("", |(_, after)| after);
    let list = after.split_once(']').map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_read_from_the_manifest() {
        let manifest = "[workspace]\nmembers = [\n    \"client\",\n    \"tests/harness\",\n]\n";
        assert_eq!(members(manifest), ["client", "tests/harness"]);
    }

    #[test]
    fn this_workspace_lists_xtask_among_its_members() {
        let workspace = Workspace::find().unwrap();
        let manifest = fs::read_to_string(workspace.root.join("Cargo.toml")).unwrap();
        assert!(members(&manifest).contains(&"xtask"));
    }
}
