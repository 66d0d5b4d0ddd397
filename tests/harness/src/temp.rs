//! A temporary folder for one server: its path is short enough for a unix socket, the server's user
//! can enter it, and it is deleted when dropped.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, io, process};

use crate::account::Account;
use crate::error::{Error, Result};
use crate::process::wait_until;

/// The longest path, in bytes, that a unix socket can have on Linux (`sun_path` without its final
/// zero).
pub const MAX_SOCKET_PATH: usize = 107;

/// Whether a PostgreSQL socket of any port fits into `folder`.
pub fn fits_socket(folder: &Path) -> bool {
    folder.as_os_str().len() + "/.s.PGSQL.65535".len() <= MAX_SOCKET_PATH
}

/// A folder of mode 0700 that belongs to the server's user.
#[derive(Debug)]
pub(crate) struct TempDir {
    path: PathBuf,
}

impl TempDir {
    pub(crate) fn new(account: &Account) -> Result<Self> {
        let parents = [
            env::temp_dir(),
            PathBuf::from("/tmp"),
            PathBuf::from("/var/tmp"),
        ];
        let mut tried = String::new();
        for parent in parents.iter().filter(|parent| account.can_enter(parent)) {
            let path = parent.join(unique_name());
            if !fits_socket(&path) {
                continue;
            }
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let folder = Self { path };
                    account.give(folder.path())?;
                    return Ok(folder);
                }
                Err(error) => tried = format!(" ({}: {error})", path.display()),
            }
        }
        Err(Error::new(format!(
            "no temporary folder is fit for a server of PostgreSQL{tried}"
        )))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A server process that is still ending may write a last file: try again.
        wait_until(Duration::from_secs(2), || {
            match fs::remove_dir_all(&self.path) {
                Ok(()) => true,
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            }
        });
    }
}

/// A name that should be unique on the machine; mkdir confirms that.
pub(crate) fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos());
    format!("eventcore-{}-{count}-{nanos:x}", process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_is_gone_after_drop() {
        let folder = TempDir::new(&Account::for_servers().unwrap()).unwrap();
        let path = folder.path().to_owned();
        fs::create_dir(path.join("data")).unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_fits_up_to_107_bytes() {
        let longest = MAX_SOCKET_PATH - "/.s.PGSQL.65535".len();
        assert!(fits_socket(Path::new(&"x".repeat(longest))));
        assert!(!fits_socket(Path::new(&"x".repeat(longest + 1))));
    }
}
