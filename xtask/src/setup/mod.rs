//! Set-up: packages, a private PostgreSQL, the extension. Fast if there is nothing to do.

mod extension;
mod faults;
mod headers;
mod install_script;
mod packages;
mod place;
mod prefix;
mod servers;
mod source;
mod tool;
mod wheel;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use eventcore_harness::{Account, Binaries};

use crate::lock::lock;
use crate::step::Ui;
use crate::workspace::Workspace;

pub(crate) use extension::Folders;
pub(crate) use headers::Headers;
pub(crate) use install_script::{RELEASES, install_script, released};
use packages::Purpose;
pub(crate) use packages::{ensure_on_path, ensure_program, install_package, on_path};
pub(crate) use source::MAJORS;
use source::Source;
pub(crate) use tool::install as install_tool;

/// A private PostgreSQL with the extension in it.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) major: u32,
    /// The copy of PostgreSQL; the system's own is left alone.
    pub(crate) prefix: PathBuf,
    pub(crate) binaries: Binaries,
    pub(crate) account: Account,
    /// The folder that contains all of this: cargo's target folder, if the server's user can reach
    /// it.
    pub(crate) base: PathBuf,
    /// The stamp of the sources of the installed extension.
    pub(crate) extension_stamp: String,
}

impl Installation {
    /// A folder of the server's user, for files that tests may keep between runs.
    pub(crate) fn cache(&self) -> PathBuf {
        self.prefix.join("cache")
    }
}

/// Everything up to the installed extension.
pub(crate) fn run(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<Installation> {
    run_for(Purpose::Server, workspace, ui, pg)
}

/// The beginning of [`run`]: the packages that it needs. It takes time to download them, in which
/// something else can be compiled.
pub(crate) fn packages(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<()> {
    let _lock = lock(ui, &workspace.target.join("xtask"))?;
    servers::ensure(workspace, ui, pg, Purpose::Server)?;
    Ok(())
}

/// Everything up to the installed extension, and what the server tests need in addition.
pub(crate) fn run_for_server_tests(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
) -> Result<Installation> {
    run_for(Purpose::Tests, workspace, ui, pg)
}

fn run_for(
    purpose: Purpose,
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
) -> Result<Installation> {
    let _lock = lock(ui, &workspace.target.join("xtask"))?;
    let source = servers::ensure(workspace, ui, pg, purpose)?;
    with_extension(purpose, workspace, ui, &source)
}

/// An installation of every major, the oldest first, with what the server tests need. All come from
/// the same place: servers from elsewhere may be of an older minor release, and `pg_upgrade` fails if
/// the old server has written what the new one does not know.
pub(crate) fn run_for_pg_upgrade(workspace: &Workspace, ui: &Ui) -> Result<Vec<Installation>> {
    let _lock = lock(ui, &workspace.target.join("xtask"))?;
    let sources = servers::ensure_all(workspace, ui, Purpose::Tests)?;
    let install = |source| with_extension(Purpose::Tests, workspace, ui, source);
    sources.iter().map(install).collect()
}

/// A copy of this PostgreSQL, with the extension in it.
fn with_extension(
    purpose: Purpose,
    workspace: &Workspace,
    ui: &Ui,
    source: &Source,
) -> Result<Installation> {
    let account = Account::for_servers()?;
    let base = place::base(workspace, ui, &account)?;
    let folder = base.join("pg").join(source.name());
    let prefix = prefix::ensure(ui, source, &folder, &account)?;
    let headers = Headers::of(&prefix.join("bin/pg_config"))?;
    let extension_stamp = extension::ensure(workspace, ui, &headers, &prefix)?;
    if matches!(purpose, Purpose::Tests) {
        faults::ensure(workspace, ui, &headers, &prefix)?;
    }
    let binaries = Binaries::new(prefix::bin(&prefix)?)?;
    Ok(Installation {
        major: source.major,
        prefix,
        binaries,
        account,
        base,
        extension_stamp,
    })
}

/// Whether `EVENTCORE_PG_CONFIG` names the only PostgreSQL to use.
pub(crate) fn is_named_by_environment() -> Result<bool> {
    Ok(Source::from_env()?.is_some())
}

/// Finds what an earlier set-up left: nothing is installed, copied or built.
pub(crate) fn existing(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
) -> Result<Option<Installation>> {
    let Some(major) = pg.map_or_else(|| servers::newest(workspace), |major| Ok(Some(major)))?
    else {
        return Ok(None);
    };
    let account = Account::for_servers()?;
    let base = place::base(workspace, ui, &account)?;
    let prefix = base.join(format!("pg/{major}"));
    let Some(extension_stamp) = extension::installed(&prefix) else {
        return Ok(None);
    };
    let binaries = Binaries::new(prefix::bin(&prefix)?)?;
    Ok(Some(Installation {
        major,
        prefix,
        binaries,
        account,
        base,
        extension_stamp,
    }))
}

/// The folders with the programs of every major that has the same extension as this installation and
/// comes from the same place, for the reason that [`run_for_pg_upgrade`] gives: the oldest first, as a
/// list of paths.
pub(crate) fn programs_of_all(
    workspace: &Workspace,
    ui: &Ui,
    installation: &Installation,
) -> Result<OsString> {
    let is_debian = |major| Source::debian(major).is_there();
    let mut folders = Vec::new();
    let mut majors = MAJORS;
    majors.sort_unstable();
    for major in majors {
        if major == installation.major {
            folders.push(installation.binaries.folder().to_owned());
        } else if is_debian(major) == is_debian(installation.major)
            && let Some(other) = existing(workspace, ui, Some(major))?
            && other.extension_stamp == installation.extension_stamp
        {
            folders.push(other.binaries.folder().to_owned());
        }
    }
    Ok(std::env::join_paths(folders)?)
}

/// The headers that the extension is compiled against, without compiling it.
pub(crate) fn headers(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<Headers> {
    let _lock = lock(ui, &workspace.target.join("xtask"))?;
    // Packages are made of this, also in an image: the drivers that only tests need have no place there.
    let source = servers::ensure(workspace, ui, pg, Purpose::Server)?;
    let account = Account::for_servers()?;
    let base = place::base(workspace, ui, &account)?;
    let folder = base.join("pg").join(source.name());
    let prefix = prefix::ensure(ui, &source, &folder, &account)?;
    Headers::of(&prefix.join("bin/pg_config"))
}

/// Builds the extension for a PostgreSQL, and writes its files into these folders; returns the
/// files.
pub(crate) fn install_to(
    workspace: &Workspace,
    ui: &Ui,
    headers: &Headers,
    folders: &Folders,
) -> Result<Vec<PathBuf>> {
    let _lock = lock(ui, &workspace.target.join("xtask"))?;
    packages::ensure_compiler(ui)?;
    extension::install(workspace, ui, headers, folders)
}
