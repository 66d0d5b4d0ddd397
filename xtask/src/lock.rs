//! One at a time per folder: set-ups, starts and stops of the server, demos.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::step::Ui;

/// Held until dropped; the operating system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    /// Unlocks rather than only closes: a process that another thread is just starting has a copy of the open file
    /// until it runs its program, and the copy would hold the lock.
    fn drop(&mut self) {
        let _closing_is_next = self.0.unlock();
    }
}

/// Waits for the folder's lock.
pub(crate) fn lock(ui: &Ui, folder: &Path) -> Result<Lock> {
    let (path, file) = open(folder)?;
    if file.try_lock().is_err() {
        ui.say(&format!(
            "waiting for another cargo xtask that holds {}",
            path.display()
        ));
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(Lock(file))
}

/// The folder's lock, or `None` when another process holds it.
pub(crate) fn try_lock(folder: &Path) -> Result<Option<Lock>> {
    let (path, file) = open(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn open(folder: &Path) -> Result<(PathBuf, File)> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::*;

    #[test]
    fn a_dropped_lock_is_free_also_while_another_thread_starts_processes() {
        let folder = std::env::temp_dir().join(format!("xtask-fork-{}", std::process::id()));
        thread::scope(|scope| {
            let starts = scope.spawn(|| {
                for _ in 0..200 {
                    Command::new("/bin/true").status().unwrap();
                }
            });
            while !starts.is_finished() {
                assert!(try_lock(&folder).unwrap().is_some());
            }
        });
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_one_holds_a_lock_and_the_next_gets_it_afterwards() {
        let folder = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let first = try_lock(&folder).unwrap();
        assert!(first.is_some());
        assert!(try_lock(&folder).unwrap().is_none());
        drop(first);
        assert!(try_lock(&folder).unwrap().is_some());
        fs::remove_dir_all(&folder).unwrap();
    }
}
