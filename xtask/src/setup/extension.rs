//! The extension: built in release and installed into a PostgreSQL.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use eventcore_harness::run;

use super::headers::Headers;
use super::install_script::{control_file, scripts};
use super::prefix;
use crate::stamp::{Stamp, is_stamped, write_stamp};
use crate::step::Ui;
use crate::workspace::Workspace;

/// The sources of the extension.
const SOURCES: [&str; 6] = [
    "extension",
    "jsonb",
    "rules",
    "sql",
    "Cargo.toml",
    "Cargo.lock",
];
/// In the prefix: the stamp of the sources of the installed extension.
const STAMP: &str = ".extension";

/// The stamp of the installed extension, even if it is out of date.
pub(crate) fn installed(prefix: &Path) -> Option<String> {
    fs::read_to_string(prefix.join(STAMP))
        .ok()
        .map(|text| text.trim().to_owned())
}

/// Installs the extension unless that of these sources is installed; returns the stamp of the
/// sources.
pub(crate) fn ensure(
    workspace: &Workspace,
    ui: &Ui,
    headers: &Headers,
    prefix: &Path,
) -> Result<String> {
    let stamp = sources(workspace)?.finish();
    let stamp_file = prefix.join(STAMP);
    if is_stamped(&stamp_file, &stamp) {
        return Ok(stamp);
    }
    let _ = fs::remove_file(&stamp_file);
    install(workspace, ui, headers, &Folders::of(headers)?)?;
    prefix::open_to_all(prefix)?;
    write_stamp(&stamp_file, &stamp)?;
    Ok(stamp)
}

/// Where the files of an extension belong.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Of the library: `pg_config --pkglibdir`.
    pub(crate) libraries: PathBuf,
    /// Of the control file and the scripts: `extension` in `pg_config --sharedir`.
    pub(crate) scripts: PathBuf,
}

impl Folders {
    /// Those of a PostgreSQL.
    pub(crate) fn of(headers: &Headers) -> Result<Self> {
        Ok(Self {
            libraries: headers.folder("--pkglibdir")?,
            scripts: headers.folder("--sharedir")?.join("extension"),
        })
    }

    /// The same folders below another root.
    pub(crate) fn below(&self, root: &Path) -> Self {
        let below = |folder: &Path| root.join(folder.strip_prefix("/").unwrap_or(folder));
        Self {
            libraries: below(&self.libraries),
            scripts: below(&self.scripts),
        }
    }
}

/// Builds the extension and writes its files into these folders; returns the files. Removes the
/// scripts of other versions, which an unreleased version or a newer one has left there.
pub(crate) fn install(
    workspace: &Workspace,
    ui: &Ui,
    headers: &Headers,
    folders: &Folders,
) -> Result<Vec<PathBuf>> {
    let library = library(workspace, ui, headers)?;
    let library =
        fs::read(&library).with_context(|| format!("cannot read {}", library.display()))?;
    let control = control_file(workspace)?;
    let sql = scripts(workspace)?;
    let names: HashSet<OsString> = sql.iter().map(|(name, _)| name.into()).collect();

    let step = ui.step(&format!(
        "extension for PostgreSQL {}: install",
        headers.major
    ));
    let mut files = vec![
        (folders.libraries.join("eventcore.so"), library),
        (
            folders.scripts.join("eventcore.control"),
            control.into_bytes(),
        ),
    ];
    files.extend(
        sql.into_iter()
            .map(|(name, script)| (folders.scripts.join(name), script.into_bytes())),
    );
    for (path, contents) in &files {
        replace(path, contents)?;
    }
    remove_other_scripts(&folders.scripts, &names)?;
    step.done();
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

/// The library for one PostgreSQL. The last build of each major is kept and taken again while its
/// sources, the compiler and PostgreSQL are the same: a package and the server tests need it one
/// after the other, and cargo takes 20 s to build it again.
fn library(workspace: &Workspace, ui: &Ui, headers: &Headers) -> Result<PathBuf> {
    let folder = workspace.target.join("xtask/library");
    let library = folder.join(format!("eventcore-{}.so", headers.major));
    let stamp_file = folder.join(format!("eventcore-{}.stamp", headers.major));
    let stamp = sources(workspace)?
        .text(&compiler()?)
        .text(&run(&mut Command::new(headers.pg_config()))?)
        .finish();
    if is_stamped(&stamp_file, &stamp) && library.is_file() {
        return Ok(library);
    }
    let _ = fs::remove_file(&stamp_file);
    // The builds for all majors write the same file. cargo, which remembers each of them, would take
    // that of another major for its own.
    let built = workspace.target.join("release/deps/libeventcore.so");
    if built.exists() {
        fs::remove_file(&built).with_context(|| format!("cannot remove {}", built.display()))?;
    }
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release"]);
    headers.prepare(&mut cargo);
    ui.run(
        &format!("extension for PostgreSQL {}: build", headers.major),
        &mut cargo,
    )?;
    fs::create_dir_all(&folder)?;
    fs::copy(workspace.target.join("release/libeventcore.so"), &library)
        .context("cannot copy the library that was just built")?;
    write_stamp(&stamp_file, &stamp)?;
    Ok(library)
}

/// The stamp of the sources of the extension, to which more can be added.
fn sources(workspace: &Workspace) -> Result<Stamp> {
    let mut stamp = Stamp::default();
    for path in SOURCES {
        stamp = stamp.path(&workspace.root.join(path))?;
    }
    Ok(stamp)
}

/// The compiler, and the variables that change what it makes.
fn compiler() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut text = run(Command::new(rustc).args(["--version", "--verbose"]))?;
    let changes = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PROFILE_",
        "CARGO_BUILD_",
    ];
    let mut variables: Vec<_> = env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            changes.iter().any(|begin| name.starts_with(begin))
        })
        .collect();
    variables.sort();
    text.push_str(&format!("{variables:?}"));
    Ok(text)
}

/// Removes the scripts of ours that are not among these.
fn remove_other_scripts(folder: &Path, names: &HashSet<OsString>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        let is_ours = text.starts_with("eventcore--") && text.ends_with(".sql");
        if is_ours && !names.contains(&name) {
            let path = folder.join(&name);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes a file in the place of another. A server that has the old library loaded keeps it: writing
/// into that file would change its code while it runs.
fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&new, contents)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_ours_that_are_no_longer_installed_are_removed() {
        let folder = env::temp_dir().join(format!("xtask-scripts-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let present = "eventcore--2.0.0.sql";
        let others = ["eventcore.control", "eventcore_faults.so", "other--1.0.sql"];
        for name in others
            .into_iter()
            .chain([present, "eventcore--1.0.0--2.0.0.sql"])
        {
            fs::write(folder.join(name), "").unwrap();
        }
        remove_other_scripts(&folder, &HashSet::from([present.into()])).unwrap();
        let mut left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            left,
            [
                "eventcore--2.0.0.sql",
                "eventcore.control",
                "eventcore_faults.so",
                "other--1.0.sql"
            ]
        );
    }
}
