//! The files that CREATE EXTENSION and ALTER EXTENSION read: the control file, the install script of
//! this version, which is the files of `sql` in the order of `sql/order.txt`, and the scripts of the
//! releases.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// The scripts of the releases: install scripts, and one update script for each step.
pub(crate) const RELEASES: &str = "sql/releases";

/// All scripts, with the names by which PostgreSQL finds them.
pub(crate) fn scripts(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let own = format!("eventcore--{}.sql", workspace.version);
    let mut scripts = vec![(own.clone(), install_script(workspace)?)];
    for name in released(&workspace.root)? {
        // The test of a release says that its frozen script is the same.
        if name != own {
            let script = read(&workspace.root, &format!("{RELEASES}/{name}"))?;
            scripts.push((name, script));
        }
    }
    Ok(scripts)
}

/// The names of the scripts of the releases.
pub(crate) fn released(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = root.join(RELEASES);
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sql") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The install script of this version.
pub(crate) fn install_script(workspace: &Workspace) -> Result<String> {
    let (root, version) = (&workspace.root, &workspace.version);
    let mut script = format!(
        "-- The install script of eventcore {version}: the files of sql/, in the order of sql/order.txt.\n\
         \\echo Use \"CREATE EXTENSION eventcore\" to load this file. \\quit\n"
    );
    for file in read(root, "sql/order.txt")?.lines() {
        let part = read(root, &format!("sql/{file}"))?;
        script.push_str(&format!("\n-- sql/{file}\n\n{}\n", part.trim_end()));
    }
    Ok(script)
}

/// The control file, with the version.
pub(crate) fn control_file(workspace: &Workspace) -> Result<String> {
    let control = read(&workspace.root, "extension/eventcore.control")?;
    Ok(control.replace("@CARGO_VERSION@", &workspace.version))
}

fn read(root: &Path, path: &str) -> Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_install_script_begins_with_the_rules_for_all_of_it() {
        let script = install_script(&Workspace::find().unwrap()).unwrap();
        let statements = script
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("--") && !line.starts_with('\\'));
        assert_eq!(
            statements.take(1).collect::<Vec<_>>(),
            ["SET LOCAL search_path = pg_catalog, pg_temp;"]
        );
    }

    #[test]
    fn the_control_file_names_the_version() {
        let control = control_file(&Workspace::find().unwrap()).unwrap();
        let expected = format!("default_version = '{}'", env!("CARGO_PKG_VERSION"));
        assert!(control.lines().any(|line| line == expected), "{control}");
    }
}
