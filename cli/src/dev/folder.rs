//! The folders of the server: its data and its log, and the one of its socket.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::account::Account;
use crate::failure::Failure;

/// The folders of a server, all closed to other users. A temporary one is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    /// Data and log.
    path: PathBuf,
    /// The socket, in a folder whose path is short enough for one; removed in the end.
    temporary: PathBuf,
}

impl Folder {
    /// The folders, new ones if they do not exist.
    pub(super) fn new(given: Option<&Path>, account: &Account) -> Result<Self, Failure> {
        // As short as a socket needs it, whatever TMPDIR says.
        let temporary = PathBuf::from(format!("/tmp/eventcore-dev-{}", random(4)?));
        make(&temporary)?;
        // From here on it is removed, whatever fails.
        let mut folder = Self {
            path: temporary.clone(),
            temporary,
        };
        account.give(&folder.temporary)?;
        if let Some(given) = given {
            folder.path = std::path::absolute(given)?;
            if !folder.path.exists() {
                make(&folder.path)?;
                account.give(&folder.path)?;
            }
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub(super) fn socket(&self) -> &Path {
        &self.temporary
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // If it cannot be removed, it stays in /tmp, closed to others.
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

fn make(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| Failure::Usage(format!("cannot make {}: {error}", path.display())))
}

/// Random bytes, as hexadecimal digits.
pub(super) fn random(bytes: usize) -> Result<String, io::Error> {
    use std::io::Read;
    let mut random = vec![0; bytes];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
