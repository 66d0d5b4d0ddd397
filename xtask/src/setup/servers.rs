//! Which PostgreSQL is used, and how it gets onto this machine.
//!
//! In this order: the one that `EVENTCORE_PG_CONFIG` names; the machine's own in
//! `/usr/lib/postgresql`; one that was downloaded from PyPI before; apt's, if it offers this major;
//! a download from PyPI into a folder of ours.

use anyhow::{Result, bail};

use super::packages::{self, Purpose};
use super::source::{Layout, MAJORS, PG_CONFIG, Source, newest_debian};
use super::wheel;
use crate::step::Ui;
use crate::workspace::Workspace;

/// Finds the PostgreSQL to use, after installing whatever is missing.
pub(crate) fn ensure(
    workspace: &Workspace,
    ui: &Ui,
    wanted: Option<u32>,
    purpose: Purpose,
) -> Result<Source> {
    let source = choose(workspace, ui, wanted)?;
    complete(workspace, ui, &source, purpose)?;
    Ok(source)
}

/// Finds a PostgreSQL of each major, the oldest first, all from one place: the machine's own if it has
/// them all, else from PyPI.
pub(crate) fn ensure_all(workspace: &Workspace, ui: &Ui, purpose: Purpose) -> Result<Vec<Source>> {
    let mut majors = MAJORS;
    majors.sort_unstable();
    let all_debian = majors.iter().all(|&major| Source::debian(major).is_there());
    let source = |major| match from_pypi(workspace, major) {
        _ if all_debian => Ok(Source::debian(major)),
        Some(source) => Ok(source),
        None => bail!("PyPI has no PostgreSQL {major} for this machine"),
    };
    let sources = majors.map(source).into_iter().collect::<Result<Vec<_>>>()?;
    for source in &sources {
        complete(workspace, ui, source, purpose)?;
    }
    Ok(sources)
}

/// Installs what this PostgreSQL lacks.
fn complete(workspace: &Workspace, ui: &Ui, source: &Source, purpose: Purpose) -> Result<()> {
    packages::ensure(ui, source, purpose)?;
    if let Layout::Wheel(folder) = &source.layout {
        wheel::ensure(workspace, ui, source.major)?;
        if !wheel::has_libraries(folder)? {
            packages::install_libraries(ui)?;
        }
    }
    Ok(())
}

/// The major that is used when none is asked for, if this machine has one.
pub(crate) fn newest(workspace: &Workspace) -> Result<Option<u32>> {
    if let Some(source) = Source::from_env()? {
        return Ok(Some(source.major));
    }
    let downloaded = |major: &u32| from_pypi(workspace, *major).is_some_and(|it| it.is_there());
    Ok(newest_debian().or_else(|| MAJORS.into_iter().find(downloaded)))
}

fn choose(workspace: &Workspace, ui: &Ui, wanted: Option<u32>) -> Result<Source> {
    if let Some(source) = Source::from_env()? {
        if let Some(wanted) = wanted.filter(|&wanted| wanted != source.major) {
            bail!(
                "--pg {wanted} was asked for, but {PG_CONFIG} names PostgreSQL {}",
                source.major
            );
        }
        return Ok(source);
    }
    let Some(major) = wanted.map_or_else(|| newest(workspace), |major| Ok(Some(major)))? else {
        return choose_newest(workspace, ui);
    };
    let debian = Source::debian(major);
    let downloaded = from_pypi(workspace, major);
    if debian.is_there() {
        return Ok(debian);
    }
    match downloaded {
        Some(downloaded) if downloaded.is_there() => Ok(downloaded),
        _ if packages::apt_offers_after_update(ui, &headers(major)) => Ok(debian),
        Some(downloaded) => Ok(downloaded),
        None => bail!(
            "neither apt nor PyPI has PostgreSQL {major} for this machine: choose another with \
             `--pg N`, add https://apt.postgresql.org to apt's sources, or name one by {PG_CONFIG}"
        ),
    }
}

/// For a machine without any.
fn choose_newest(workspace: &Workspace, ui: &Ui) -> Result<Source> {
    if packages::apt_offers_after_update(ui, &headers(MAJORS[0])) {
        return Ok(Source::debian(MAJORS[0]));
    }
    let mut offered = MAJORS.into_iter();
    if let Some(major) = offered.find(|&major| packages::apt_offers(&headers(major))) {
        return Ok(Source::debian(major));
    }
    match from_pypi(workspace, MAJORS[0]) {
        Some(source) => Ok(source),
        None => bail!(
            "neither apt nor PyPI has PostgreSQL 15 to 18 for this machine: name one by {PG_CONFIG}"
        ),
    }
}

fn headers(major: u32) -> String {
    format!("postgresql-server-dev-{major}")
}

fn from_pypi(workspace: &Workspace, major: u32) -> Option<Source> {
    let layout = Layout::Wheel(wheel::folder(workspace, major)?);
    Some(Source { major, layout })
}
