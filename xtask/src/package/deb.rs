//! `cargo xtask package deb`: `postgresql-N-eventcore` for each PostgreSQL, and `eventcore`, by debhelper
//! from the files in `packaging/debian`.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::run;

use super::tool::Profile;
use super::{git, notice, tool};
use crate::setup::{self, Folders, MAJORS};
use crate::step::Ui;
use crate::workspace::Workspace;

/// Which packages to build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    /// The extension for this PostgreSQL alone; `None`: for all.
    pub(crate) pg: Option<u32>,
    /// The command `eventcore`, too.
    pub(crate) tool: Option<Profile>,
}

impl Selection {
    /// The extension for one PostgreSQL.
    pub(crate) fn extension(major: u32) -> Self {
        Self {
            pg: Some(major),
            tool: None,
        }
    }
}

/// Builds the packages in `folder`; returns them, that of the command last.
pub(crate) fn build(
    workspace: &Workspace,
    ui: &Ui,
    selection: Selection,
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    setup::ensure_on_path(ui, "dh", "debhelper")?;
    let majors = match selection.pg {
        Some(major) => vec![major],
        None => MAJORS.into_iter().rev().collect(),
    };
    let sources = folder.join("debian");
    if sources.exists() {
        fs::remove_dir_all(&sources)?;
    }
    for &major in &majors {
        stage(workspace, ui, major, &sources)?;
    }
    write_debian(workspace, &majors, selection.tool.is_some(), &sources)?;
    if let Some(profile) = selection.tool {
        tool::stage(workspace, ui, profile, &sources)?;
    }

    let mut build = Command::new("dpkg-buildpackage");
    build
        .args(["--build=binary", "--no-sign"])
        .current_dir(&sources);
    // Twice the same package from the same commit.
    build.env("SOURCE_DATE_EPOCH", time(workspace)?);
    if selection.tool == Some(Profile::Dev) {
        // To compress debug information takes longer than all the rest.
        build.env("DEB_BUILD_OPTIONS", "noautodbgsym");
    }
    ui.run("packages: dpkg-buildpackage", &mut build)?;
    let mut built = Vec::new();
    for major in majors {
        built.push(package(workspace, folder, &extension(major))?);
    }
    if selection.tool.is_some() {
        built.push(package(workspace, folder, tool::PACKAGE)?);
    }
    Ok(built)
}

/// Builds the extension for one PostgreSQL, and puts its files where its package has them.
fn stage(workspace: &Workspace, ui: &Ui, major: u32, sources: &Path) -> Result<()> {
    let headers = setup::headers(workspace, ui, Some(major))?;
    let root = sources.join("root").join(extension(major));
    let folders = Folders {
        libraries: root.join(format!("usr/lib/postgresql/{major}/lib")),
        scripts: root.join(format!("usr/share/postgresql/{major}/extension")),
    };
    setup::install_to(workspace, ui, &headers, &folders)?;
    notice::write(workspace, &root, &extension(major), |cargo| {
        headers.prepare(cargo);
    })
}

/// The package of one PostgreSQL.
fn extension(major: u32) -> String {
    format!("postgresql-{major}-eventcore")
}

/// Writes the folder `debian`, with one package for each PostgreSQL, and that of the command.
fn write_debian(
    workspace: &Workspace,
    majors: &[u32],
    with_tool: bool,
    sources: &Path,
) -> Result<()> {
    let debian = sources.join("debian");
    fs::create_dir_all(&debian)?;
    let template = |name: &str| -> Result<String> {
        let path = workspace.root.join("packaging/debian").join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let mut control = template("control.in")?;
    for major in majors {
        let of_major =
            |name| -> Result<String> { Ok(template(name)?.replace("@MAJOR@", &major.to_string())) };
        control.push_str(&of_major("control.major.in")?);
        for (file, from) in [
            ("README.Debian", "README.Debian.in"),
            ("postinst", "postinst.in"),
            ("lintian-overrides", "lintian-overrides"),
        ] {
            let file = debian.join(format!("{}.{file}", extension(*major)));
            fs::write(file, of_major(from)?)?;
        }
    }
    if with_tool {
        control.push_str(&template("control.tool.in")?);
        for (file, from) in tool::DEBIAN {
            let file = debian.join(format!("{}.{file}", tool::PACKAGE));
            fs::write(file, template(from)?)?;
        }
    }
    fs::write(debian.join("control"), control)?;
    fs::write(debian.join("copyright"), template("copyright")?)?;
    fs::write(debian.join("changelog"), changelog(workspace)?)?;
    fs::write(debian.join("rules"), template("rules")?)?;
    fs::set_permissions(debian.join("rules"), Permissions::from_mode(0o755))?;
    // dh_installchangelogs adds it to each package.
    fs::copy(
        workspace.root.join("CHANGELOG.md"),
        sources.join("CHANGELOG.md"),
    )?;
    Ok(())
}

/// The time of the package, in seconds since 1970: that of the commit, unless the environment says
/// another.
fn time(workspace: &Workspace) -> Result<String> {
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(time) => Ok(time),
        Err(_) => git(workspace, &["log", "-1", "--format=%ct"]),
    }
}

/// Debian's changelog: this version.
fn changelog(workspace: &Workspace) -> Result<String> {
    let version = &workspace.version;
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email"])
        .arg(format!("--date=@{}", time(workspace)?));
    Ok(format!(
        "eventcore ({version}-1) unstable; urgency=medium\n\n  \
         * Version {version}: see changelog.gz beside this file.\n\n \
         -- The eventcore authors <eventcore@users.noreply.github.com>  {}\n",
        run(&mut date)?.trim()
    ))
}

/// The file of a package, of whatever architecture this machine is.
fn package(workspace: &Workspace, folder: &Path, name: &str) -> Result<PathBuf> {
    let start = format!("{name}_{}-1_", workspace.version);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&start) && name.ends_with(".deb") {
            return Ok(path);
        }
    }
    bail!(
        "dpkg-buildpackage made no {start}….deb in {}",
        folder.display()
    )
}
