//! What the Dockerfile's target `extension` contains, on PostgreSQL 18: an operator mounts such an image
//! beside a server whose own folders do not have eventcore.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use eventcore_harness::{Server, ServerOptions, run as output};

use super::{Run, extract};
use crate::package::{deb, folder};
use crate::setup;
use crate::workspace::Workspace;

/// The oldest that finds extensions by `extension_control_path`.
const MAJOR: u32 = 18;

const FIRST_APPEND: &str = "
    CREATE EXTENSION eventcore;
    SELECT versions FROM eventcore_append('{first}', '{0}', '[{\"stream\": \"first\", \"type\": \"Mounted\", \"payload\": {}}]');
    SELECT stream_id, version, event_type FROM eventcore_read_all(0);
    SELECT * FROM eventcore_check();";

/// The files that the server has mapped, besides anonymous memory.
const MAPPED: &str = "
    SELECT DISTINCT regexp_replace(line, '^.* ', '')
      FROM regexp_split_to_table(pg_read_file('/proc/self/maps', 0, 10000000), '\\n') line
     WHERE line LIKE '%eventcore.so%'";

/// Makes the tree of the image from the Debian package, and runs CREATE EXTENSION and an append with
/// the files in it alone.
pub(super) fn mount(run: &Run<'_>) -> Result<()> {
    let packages = deb::build(
        run.workspace,
        run.ui,
        deb::Selection::extension(MAJOR),
        &folder(run.workspace),
    )?;
    let package = packages.first().context("no package was built")?;
    let installation = setup::run(run.workspace, run.ui, Some(MAJOR))?;
    let step = run.ui.step("packages: the tree of the extension image");
    let work = installation.base.join("image");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let tried = tree(run.workspace, package, &work)
        .and_then(|tree| serve(run.workspace, &installation, &tree));
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    tried?;
    step.done();
    Ok(())
}

/// Does what the COPY lines of the target do.
fn tree(workspace: &Workspace, package: &Path, work: &Path) -> Result<PathBuf> {
    let (files, tree) = (work.join("files"), work.join("tree"));
    fs::create_dir_all(&files).with_context(|| format!("cannot make {}", files.display()))?;
    extract(package, &files)?;
    let dockerfile = fs::read_to_string(workspace.root.join("packaging/docker/Dockerfile"))?;
    for (from, to) in copies(&dockerfile)? {
        let to = tree.join(to);
        fs::create_dir_all(&to)?;
        let mut copy = Command::new("cp");
        copy.args(["-R", "-p"]).arg(files.join(from).join("."));
        output(copy.arg(to))?;
    }
    Ok(tree)
}

/// The folders that the target takes from the package, and where it puts them.
fn copies(dockerfile: &str) -> Result<Vec<(String, String)>> {
    let (_, target) = dockerfile
        .split_once("\nFROM scratch AS extension\n")
        .context("the Dockerfile has no target `extension`")?;
    let lines = target
        .lines()
        .filter_map(|line| line.strip_prefix("COPY --from=package /files/"));
    let copies: Vec<_> = lines
        .filter_map(|line| line.split_once(" /"))
        .map(|(from, to)| {
            let from = from.replace("${PG_MAJOR}", &MAJOR.to_string());
            (from, to.to_owned())
        })
        .collect();
    ensure!(!copies.is_empty(), "the target `extension` copies nothing");
    Ok(copies)
}

fn serve(workspace: &Workspace, installation: &setup::Installation, tree: &Path) -> Result<()> {
    let version = &workspace.version;
    for file in [
        "licenses/eventcore/copyright",
        "licenses/eventcore/NOTICE.gz",
    ] {
        ensure!(tree.join(file).is_file(), "the image has no {file}");
    }
    // The copy of PostgreSQL has an eventcore of its own. Its control file is not found, as `$system` is
    // not listed, and its library comes second.
    let library = tree.join("lib/eventcore.so");
    let options = ServerOptions::new()
        .without_fsync()
        .set(
            "extension_control_path",
            &tree.join("share").to_string_lossy(),
        )
        .set(
            "dynamic_library_path",
            &format!("{}:$libdir", tree.join("lib").display()),
        );
    let server = Server::start_with(installation.binaries.clone(), options)?;
    let appended = server.psql("postgres", FIRST_APPEND)?;
    ensure!(
        appended == "{1}\nfirst|1|Mounted",
        "the server answered {appended}"
    );
    let versions = server.psql(
        "postgres",
        "SELECT extension, library FROM eventcore_version()",
    )?;
    ensure!(
        versions == format!("{version}|{version}"),
        "the versions are {versions}"
    );
    let mapped = server.psql("postgres", MAPPED)?;
    ensure!(
        Path::new(&mapped) == library,
        "the server uses {mapped} instead of {}",
        library.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_image_are_those_of_its_target() {
        let dockerfile = "FROM a AS b\nCOPY --from=package /files/ /\n\nFROM scratch AS extension\n\
                          COPY --from=package /files/usr/lib/${PG_MAJOR}/ /lib/\nUSER 65532\n";
        let expected = ("usr/lib/18/".to_owned(), "lib/".to_owned());
        assert_eq!(copies(dockerfile).unwrap(), [expected]);
        assert!(copies("FROM scratch AS other\n").is_err());
    }
}
