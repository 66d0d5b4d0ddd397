//! The extension: built in release and installed into a PostgreSQL.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

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
    let mut stamp = Stamp::default();
    for path in SOURCES {
        stamp = stamp.path(&workspace.root.join(path))?;
    }
    let stamp = stamp.finish();
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

/// Builds the extension and writes its files into these folders; returns the files.
pub(crate) fn install(
    workspace: &Workspace,
    ui: &Ui,
    headers: &Headers,
    folders: &Folders,
) -> Result<Vec<PathBuf>> {
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
    let library = fs::read(workspace.target.join("release/libeventcore.so"))
        .context("cannot read the library that was just built")?;
    let control = control_file(&workspace.root)?;
    let sql = scripts(&workspace.root)?;

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
    step.done();
    Ok(files.into_iter().map(|(path, _)| path).collect())
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
