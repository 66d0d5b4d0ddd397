//! The private PostgreSQL: a copy of the machine's, into which the extension is installed.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::{Account, run};

use super::source::{Layout, Source};
use crate::stamp::{is_stamped, write_stamp};
use crate::step::Ui;

/// The folder with the copy's programs, with no symbolic link on the way.
pub(crate) fn bin(prefix: &Path) -> Result<PathBuf> {
    let bin = prefix.join("bin");
    fs::canonicalize(&bin).with_context(|| format!("cannot find {}", bin.display()))
}

/// Copies PostgreSQL to `prefix`, unless the copy is there and of the same version.
pub(crate) fn ensure(
    ui: &Ui,
    source: &Source,
    prefix: &Path,
    account: &Account,
) -> Result<PathBuf> {
    let version = run(Command::new(source.bin().join("postgres")).arg("--version"))?;
    let stamp = format!("{} from {}", version.trim(), source.bin().display());
    let stamp_file = prefix.join(".source");
    if !is_stamped(&stamp_file, &stamp) {
        let step = ui.step(&format!(
            "private PostgreSQL {} in {}",
            source.major,
            prefix.display()
        ));
        if prefix.exists() {
            fs::remove_dir_all(prefix)
                .with_context(|| format!("cannot replace {}", prefix.display()))?;
        }
        for (from, to) in folders(source, prefix) {
            fs::create_dir_all(&to)?;
            step.run(
                Command::new("cp")
                    .arg("-R")
                    .arg("-p")
                    .arg(from.join("."))
                    .arg(&to),
            )?;
        }
        if source.layout == Layout::Debian {
            symlink(
                format!("lib/postgresql/{}/bin", source.major),
                prefix.join("bin"),
            )?;
        }
        check_relocation(prefix)?;
        let cache = prefix.join("cache");
        DirBuilder::new().mode(0o700).create(&cache)?;
        account.give(&cache)?;
        open_to_all(prefix)?;
        write_stamp(&stamp_file, &stamp)?;
        step.done();
    }
    Ok(prefix.to_owned())
}

/// Lets the server's user read what was installed, whatever the caller's umask.
pub(crate) fn open_to_all(prefix: &Path) -> Result<()> {
    let mut chmod = Command::new("chmod");
    chmod.args(["-R", "a+rX"]);
    for name in ["bin/.", "lib", "share"] {
        chmod.arg(prefix.join(name));
    }
    run(&mut chmod)?;
    run(Command::new("chmod").arg("a+rx").arg(prefix))?;
    if let Some(parent) = prefix.parent() {
        run(Command::new("chmod").arg("a+x").arg(parent))?;
    }
    Ok(())
}

/// The source and target of each part. The copy keeps the paths of each part relative to the
/// programs.
fn folders(source: &Source, prefix: &Path) -> Vec<(PathBuf, PathBuf)> {
    match &source.layout {
        Layout::OneFolder(folder) | Layout::Wheel(folder) => {
            vec![(folder.clone(), prefix.to_owned())]
        }
        Layout::Debian => ["lib", "share", "include"]
            .iter()
            .map(|part| format!("{part}/postgresql/{}", source.major))
            .map(|part| (Path::new("/usr").join(&part), prefix.join(&part)))
            .collect(),
    }
}

/// The copy's `pg_config` must name the copy, so that nothing is installed into the system.
fn check_relocation(prefix: &Path) -> Result<()> {
    let prefix = fs::canonicalize(prefix)?;
    for part in [
        "--bindir",
        "--pkglibdir",
        "--sharedir",
        "--includedir-server",
    ] {
        let path = run(Command::new(prefix.join("bin/pg_config")).arg(part))?;
        if !Path::new(path.trim()).starts_with(&prefix) {
            bail!(
                "this PostgreSQL cannot be copied: `pg_config {part}` of the copy in {} names {}",
                prefix.display(),
                path.trim()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_keeps_its_layout_below_the_prefix() {
        let folders = folders(&Source::debian(15), Path::new("/copy"));
        assert_eq!(
            folders[0],
            (
                "/usr/lib/postgresql/15".into(),
                "/copy/lib/postgresql/15".into()
            )
        );
        assert_eq!(folders.len(), 3);
    }

    #[test]
    fn a_copied_pg_config_names_the_copy() {
        let Some(major) = super::super::source::newest_debian() else {
            return;
        };
        let source = Source::debian(major);
        if !source.bin().join("pg_config").is_file() {
            return;
        }
        let prefix = std::env::temp_dir().join(format!("xtask-prefix-{}", std::process::id()));
        let to = prefix.join(format!("lib/postgresql/{major}/bin"));
        fs::create_dir_all(&to).unwrap();
        fs::copy(source.bin().join("pg_config"), to.join("pg_config")).unwrap();
        symlink(format!("lib/postgresql/{major}/bin"), prefix.join("bin")).unwrap();
        let checked = check_relocation(&prefix);
        fs::remove_dir_all(&prefix).unwrap();
        checked.unwrap();
    }
}
