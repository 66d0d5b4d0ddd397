//! A place for the private PostgreSQL that the user who runs it can reach.

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eventcore_harness::Account;

use crate::step::Ui;
use crate::workspace::Workspace;

/// cargo's target folder; or a folder in `/var/tmp` if the server's user cannot reach it, as below
/// root's home.
pub(crate) fn base(workspace: &Workspace, ui: &Ui, account: &Account) -> Result<PathBuf> {
    let target = &workspace.target;
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    if account.can_enter(target) {
        return Ok(target.clone());
    }
    let place = PathBuf::from(format!("/var/tmp/eventcore-{}", hash(target)));
    if !place.exists() {
        ui.say(&format!(
            "the user {} cannot reach {}; PostgreSQL lies in {} instead",
            account.name(),
            target.display(),
            place.display()
        ));
    }
    ours(&place, 0o755)?;
    Ok(place)
}

/// A folder in a place where all users can write must belong to us; otherwise another user may have
/// prepared it as a trap.
fn ours(folder: &Path, mode: u32) -> Result<()> {
    if let Err(error) = DirBuilder::new().mode(mode).create(folder)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot make {}", folder.display()));
    }
    let found = fs::symlink_metadata(folder)?;
    let caller = fs::metadata("/proc/self").map_or_else(|_| found.uid(), |me| me.uid());
    if !found.is_dir() || found.uid() != caller || found.mode() & 0o022 != 0 {
        bail!(
            "{} does not belong to this user alone: remove it",
            folder.display()
        );
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn hash(path: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_our_folder_is_refused() {
        let link = std::env::temp_dir().join(format!("xtask-place-{}", std::process::id()));
        std::os::unix::fs::symlink("/var", &link).unwrap();
        let refused = ours(&link, 0o700);
        fs::remove_file(&link).unwrap();
        assert!(refused.is_err());
    }

    #[test]
    fn two_clones_have_two_places() {
        assert_ne!(hash(Path::new("/a/target")), hash(Path::new("/b/target")));
    }
}
