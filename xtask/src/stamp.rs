//! Stamps: a hash of the sources of a product, stored beside it, so that it is not built again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A hash of texts and of the contents of files.
#[derive(Default)]
pub(crate) struct Stamp(DefaultHasher);

impl Stamp {
    pub(crate) fn text(mut self, text: &str) -> Self {
        text.hash(&mut self.0);
        self
    }

    /// Adds a file, or all files below a folder in the order of their names; nothing if it does not
    /// exist.
    pub(crate) fn path(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            let contents =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            file.hash(&mut self.0);
            contents.hash(&mut self.0);
        }
        Ok(self)
    }

    pub(crate) fn finish(self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// Whether `file` contains this stamp.
pub(crate) fn is_stamped(file: &Path, stamp: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.trim() == stamp)
}

/// Writes a stamp, and creates its folder.
pub(crate) fn write_stamp(file: &Path, stamp: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, format!("{stamp}\n"))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    if path.is_dir() {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            entries.push(entry?.path());
        }
        entries.sort();
        // A target folder inside a crate is build output, not a source.
        for entry in entries.iter().filter(|entry| !entry.ends_with("target")) {
            files.extend(files_below(entry)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_follows_contents_and_not_times() {
        let folder = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        let file = folder.join("src/lib.rs");
        let stamp = || Stamp::default().path(&folder).unwrap().finish();
        write_stamp(&file, "one").unwrap();
        let first = stamp();
        write_stamp(&file, "one").unwrap();
        assert_eq!(stamp(), first);
        write_stamp(&file, "two").unwrap();
        assert_ne!(stamp(), first);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_that_is_missing_carries_no_stamp() {
        assert!(!is_stamped(Path::new("/no/such/file"), "x"));
    }
}
