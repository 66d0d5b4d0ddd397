//! PostgreSQL with extension scripts of a test's own, so that a test can install and update made-up
//! versions while other tests use the folders of PostgreSQL as they are.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::{Error, Result};
use crate::process::run;
use crate::temp::TempDir;

/// The folders of PostgreSQL once more: links to the original files, and the scripts beside them.
/// Deleted when dropped, so it must outlive the servers that it starts.
#[derive(Debug)]
pub struct WithScripts {
    binaries: Binaries,
    scripts: PathBuf,
    folder: TempDir,
}

impl WithScripts {
    /// Takes the programs that `EVENTCORE_PG_BIN` names.
    ///
    /// # Errors
    /// There are no programs, or the folder cannot be written.
    pub fn new() -> Result<Self> {
        let original = Binaries::from_env()?;
        let ask = |option: &str| -> Result<PathBuf> {
            let answer = run(original.command("pg_config").arg(option))?;
            Ok(PathBuf::from(answer.trim()))
        };
        let (programs, libraries) = (ask("--bindir")?, ask("--pkglibdir")?);
        let scripts = ask("--sharedir")?.join("extension");
        let root = common(&common(&programs, &libraries), &scripts);
        let folder = TempDir::new(&Account::for_servers()?)?;
        let copy = |path: &Path| match path.strip_prefix(&root) {
            Ok(below) => folder.path().join(below),
            Err(_) => folder.path().to_owned(),
        };
        mirror(&root, folder.path(), &[&programs, &scripts])
            .map_err(Error::io(format_args!("copy {}", root.display())))?;
        // PostgreSQL looks for its other folders from where this program is, after all links.
        let (from, to) = (programs.join("postgres"), copy(&programs).join("postgres"));
        fs::remove_file(&to)
            .and_then(|()| fs::copy(&from, &to))
            .map_err(Error::io(format_args!("copy {}", from.display())))?;
        Ok(Self {
            binaries: Binaries::new(copy(&programs))?,
            scripts: copy(&scripts),
            folder,
        })
    }

    /// What [`crate::Server::start_with`] takes.
    pub fn binaries(&self) -> Binaries {
        self.binaries.clone()
    }

    /// The text of a script or a control file.
    ///
    /// # Errors
    /// No script has this name.
    pub fn read(&self, name: &str) -> Result<String> {
        let file = self.scripts.join(name);
        fs::read_to_string(&file).map_err(Error::io(format_args!("read {}", file.display())))
    }

    /// Adds a script.
    ///
    /// # Errors
    /// There is one of this name, or it cannot be written.
    pub fn add(&self, name: &str, text: &str) -> Result<()> {
        let file = self.scripts.join(name);
        if file.exists() {
            return Err(Error::new(format!("there is a script {name} already")));
        }
        fs::write(&file, text).map_err(Error::io(format_args!("write {}", file.display())))
    }

    /// Moves the control file and all scripts of an extension into the folder `extension` of another
    /// folder, and returns that.
    ///
    /// # Errors
    /// They are not there, or cannot be moved.
    pub fn set_aside(&self, extension: &str) -> Result<PathBuf> {
        let aside = self.folder.path().join("aside");
        let mut names = self.of_extension(extension)?;
        names.push(format!("{extension}.control"));
        let to = aside.join("extension");
        let move_all = || {
            fs::create_dir_all(&to)?;
            let mut names = names.iter();
            names.try_for_each(|name| fs::rename(self.scripts.join(name), to.join(name)))
        };
        move_all().map_err(Error::io(format_args!("move scripts to {}", to.display())))?;
        Ok(aside)
    }

    /// The names of all scripts of an extension.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn of_extension(&self, extension: &str) -> Result<Vec<String>> {
        let begin = format!("{extension}--");
        let entries = fs::read_dir(&self.scripts)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .map_err(Error::io(format_args!("read {}", self.scripts.display())))?;
        let names = entries
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(names.filter(|name| name.starts_with(&begin)).collect())
    }
}

/// The longest path that both begin with.
fn common(one: &Path, other: &Path) -> PathBuf {
    let pairs = one.components().zip(other.components());
    pairs
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one)
        .collect()
}

/// Fills a folder with links to what another one contains. The folders in `real`, and those above
/// them, are folders in the copy, too.
fn mirror(original: &Path, copy: &Path, real: &[&Path]) -> std::io::Result<()> {
    for entry in fs::read_dir(original)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let target = copy.join(name);
        if path.is_dir() && real.iter().any(|real| real.starts_with(&path)) {
            fs::create_dir(&target)?;
            mirror(&path, &target, real)?;
        } else {
            symlink(&path, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonfolder_of_two_paths_ends_where_they_part() {
        let (one, other) = (Path::new("/a/pg/lib/bin"), Path::new("/a/pg/share"));
        assert_eq!(common(one, other), Path::new("/a/pg"));
    }
}
