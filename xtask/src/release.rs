//! `cargo xtask release`: freezes the scripts of a release, and finds whether a frozen one was edited.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use crate::setup::{RELEASES, install_script, released};
use crate::step::Ui;
use crate::workspace::Workspace;

/// In the folder of releases: the checksum of each frozen file, as `sha256sum` writes it.
const CHECKSUMS: &str = "checksums.txt";

/// How each update script begins: see `sql/releases/README.md`.
const BEGIN: [&str; 2] = [
    "SET LOCAL search_path = pg_catalog, pg_temp;",
    "SELECT eventcore.require_library();",
];

/// `cargo xtask release …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    step: Step,
}

#[derive(Subcommand)]
enum Step {
    /// Write the install script of this version to sql/releases, and record the checksums there
    Freeze,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    match arguments.step {
        Step::Freeze => {
            freeze_present(workspace)?;
            ui.say(&format!(
                "version {} is frozen in {RELEASES}: commit it",
                workspace.version
            ));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Freezes the present version, unless it is frozen.
pub(crate) fn freeze_present(workspace: &Workspace) -> Result<()> {
    let script = install_script(workspace)?;
    let scripts = released(&workspace.root)?;
    let folder = workspace.root.join(RELEASES);
    freeze(&folder, &workspace.version, &script, &scripts)
}

/// Freezes a version: writes its install script, and records its checksum and that of the update
/// script that leads to it. `scripts` are those that the folder has.
fn freeze(folder: &Path, version: &str, script: &str, scripts: &[String]) -> Result<()> {
    check(folder, scripts)?;
    let name = format!("eventcore--{version}.sql");
    ensure!(
        !scripts.contains(&name),
        "version {version} is frozen already: raise the version in Cargo.toml"
    );
    let updates = format!("--{version}.sql");
    let update = scripts.iter().find(|script| script.ends_with(&updates));
    let is_first = !scripts.iter().any(|script| is_install_script(script));
    match update {
        None if !is_first => {
            bail!("write the update script first: {RELEASES}/eventcore--OLD--{version}.sql")
        }
        Some(update) => begins_well(folder, update)?,
        None => {}
    }
    fs::write(folder.join(&name), script).with_context(|| format!("cannot write {name}"))?;
    let mut recorded = recorded(folder)?;
    for file in update.into_iter().chain([&name]) {
        recorded.push((checksum(&folder.join(file))?, file.clone()));
    }
    let lines = recorded
        .iter()
        .map(|(sum, file)| format!("{sum}  {file}\n"));
    fs::write(folder.join(CHECKSUMS), lines.collect::<String>())
        .with_context(|| format!("cannot write {CHECKSUMS}"))
}

/// Every frozen file is there as it was frozen, and every install script is frozen.
fn check(folder: &Path, scripts: &[String]) -> Result<()> {
    let recorded = recorded(folder)?;
    for (sum, file) in &recorded {
        ensure!(
            checksum(&folder.join(file))? == *sum,
            "{RELEASES}/{file} was edited after its release: restore it, and write an update script"
        );
    }
    for script in scripts.iter().filter(|script| is_install_script(script)) {
        ensure!(
            recorded.iter().any(|(_, file)| file == script),
            "{RELEASES}/{script} has no checksum: `cargo xtask release freeze` writes such a file"
        );
    }
    Ok(())
}

/// `eventcore--X.sql`, and not `eventcore--OLD--NEW.sql`.
fn is_install_script(name: &str) -> bool {
    name.matches("--").count() == 1
}

fn begins_well(folder: &Path, update: &str) -> Result<()> {
    let text =
        fs::read_to_string(folder.join(update)).with_context(|| format!("cannot read {update}"))?;
    let statements = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--") && !line.starts_with('\\'));
    ensure!(
        statements.take(BEGIN.len()).eq(BEGIN),
        "{RELEASES}/{update} does not begin with\n{}",
        BEGIN.join("\n")
    );
    Ok(())
}

/// The recorded checksums, each with its file; none before the first release.
fn recorded(folder: &Path) -> Result<Vec<(String, String)>> {
    let file = folder.join(CHECKSUMS);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {CHECKSUMS}"))?;
    text.lines()
        .map(|line| {
            let (sum, name) = line
                .split_once("  ")
                .with_context(|| format!("{CHECKSUMS}: malformed line `{line}`"))?;
            Ok((sum.to_owned(), name.to_owned()))
        })
        .collect()
}

fn checksum(file: &Path) -> Result<String> {
    let output = Command::new("sha256sum")
        .arg(file)
        .output()
        .context("cannot run sha256sum")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let sum = text.split(' ').next().unwrap_or_default();
    Ok(sum.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of releases.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("xtask-release-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn scripts(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".sql")).collect()
        }

        fn freeze(&self, version: &str, script: &str) -> Result<(), String> {
            let frozen = freeze(&self.0, version, script, &self.scripts());
            frozen.map_err(|error| error.to_string())
        }

        fn check(&self) -> Result<(), String> {
            check(&self.0, &self.scripts()).map_err(|error| error.to_string())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn no_frozen_script_of_this_repository_was_edited() {
        let root = Workspace::find().unwrap().root;
        check(&root.join(RELEASES), &released(&root).unwrap()).unwrap();
    }

    #[test]
    fn a_version_that_is_frozen_installs_what_was_frozen() {
        let workspace = Workspace::find().unwrap();
        let version = &workspace.version;
        let frozen = workspace
            .root
            .join(RELEASES)
            .join(format!("eventcore--{version}.sql"));
        if frozen.exists() {
            assert!(
                fs::read_to_string(frozen).unwrap() == install_script(&workspace).unwrap(),
                "sql/ has changed since {version} was released: raise the version in Cargo.toml and write an \
                 update script"
            );
        }
    }

    #[test]
    fn a_frozen_script_that_was_edited_is_found() {
        let folder = Folder::new("edited");
        folder.freeze("0.1.0", "SELECT 1;\n").unwrap();
        assert_eq!(folder.check(), Ok(()));
        folder.write("eventcore--0.1.0.sql", "SELECT 2;\n");
        let error = folder.check().unwrap_err();
        assert!(error.contains("eventcore--0.1.0.sql was edited"), "{error}");
        // Nor can another version be frozen on top of it.
        assert!(folder.freeze("0.2.0", "SELECT 2;\n").is_err());
    }

    #[test]
    fn an_update_script_is_frozen_with_the_release_that_it_leads_to() {
        let folder = Folder::new("updates");
        folder.freeze("0.1.0", "SELECT 1;\n").unwrap();
        let again = folder.freeze("0.1.0", "SELECT 1;\n").unwrap_err();
        assert!(again.contains("raise the version"), "{again}");
        let missing = folder.freeze("0.2.0", "SELECT 2;\n").unwrap_err();
        assert!(missing.contains("eventcore--OLD--0.2.0.sql"), "{missing}");

        let update = "eventcore--0.1.0--0.2.0.sql";
        folder.write(update, "-- Nothing has changed.\n\nSELECT 2;\n");
        let error = folder.freeze("0.2.0", "SELECT 2;\n").unwrap_err();
        assert!(error.contains("does not begin with"), "{error}");
        let text = format!("-- Something.\n\n{}\n\nSELECT 2;\n", BEGIN.join("\n"));
        folder.write(update, &text);
        folder.freeze("0.2.0", "SELECT 2;\n").unwrap();
        assert_eq!(folder.check(), Ok(()));
        folder.write(update, "SELECT 3;\n");
        assert!(folder.check().unwrap_err().contains(update));
    }

    #[test]
    fn an_install_script_that_was_put_there_by_hand_is_found() {
        let folder = Folder::new("by-hand");
        folder.write("eventcore--0.1.0.sql", "SELECT 1;\n");
        assert!(folder.check().unwrap_err().contains("has no checksum"));
    }
}
