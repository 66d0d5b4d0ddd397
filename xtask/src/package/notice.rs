//! The licences of the crates that are linked into the library or the program.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::run;

use crate::workspace::Workspace;

/// Writes the licences of what is linked into a package to the folder of its documents.
pub(super) fn write(
    workspace: &Workspace,
    root: &Path,
    package: &str,
    prepare: impl FnOnce(&mut Command),
) -> Result<()> {
    let file = root.join("usr/share/doc").join(package).join("NOTICE");
    super::write(&file, &notice(workspace, prepare)?)
}

/// Names each crate that is linked into the part of the workspace that `prepare` selects, with its licence,
/// and quotes the licence files that come with it. A crate without one is under the licence that its
/// manifest names.
fn notice(workspace: &Workspace, prepare: impl FnOnce(&mut Command)) -> Result<String> {
    let mut cargo = workspace.cargo();
    cargo.args(["tree", "--edges", "normal,no-proc-macro"]);
    cargo.args(["--prefix", "none", "--format", "{p}|{l}|{r}"]);
    prepare(&mut cargo);
    let tree = run(&mut cargo)?;
    let crates: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.starts_with("eventcore"))
        .collect();
    let sources = sources()?;
    let mut text = String::from(
        "eventcore is under the MIT licence. This package contains code of these crates.\n",
    );
    for line in crates {
        let mut fields = line.split('|');
        let (Some(package), Some(licence), Some(repository)) =
            (fields.next(), fields.next(), fields.next())
        else {
            bail!("cargo tree printed a line of another form: {line}");
        };
        let Some((name, version)) = package.split_once(" v") else {
            bail!("cargo tree printed a crate without a version: {package}");
        };
        writeln!(text, "\n{}\n{name} {version}", "=".repeat(78))?;
        writeln!(text, "Licence: {licence}\nSource: {repository}")?;
        for file in licence_files(&sources, &format!("{name}-{version}"))? {
            let quoted = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            writeln!(text, "\n{}", quoted.trim())?;
        }
    }
    Ok(text)
}

/// Where cargo unpacks the crates of each registry.
fn sources() -> Result<Vec<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(Path::new(&home).join(".cargo"))
    });
    let folder = home
        .context("neither CARGO_HOME nor HOME is set")?
        .join("registry/src");
    children(&folder)
}

/// The files of a crate that hold a licence.
fn licence_files(sources: &[PathBuf], package: &str) -> Result<Vec<PathBuf>> {
    let Some(folder) = sources
        .iter()
        .map(|it| it.join(package))
        .find(|it| it.is_dir())
    else {
        bail!("cargo has not unpacked {package}");
    };
    let mut files = children(&folder)?;
    files.retain(|file| {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_uppercase();
        file.is_file()
            && ["LICEN", "COPYING", "NOTICE", "UNLICENSE"]
                .iter()
                .any(|it| name.starts_with(it))
    });
    Ok(files)
}

/// What a folder contains, in the order of the names.
fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
