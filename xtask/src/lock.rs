//! One set-up at a time in one folder.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::step::Ui;

/// Held until dropped; the operating system lets go of it when the process ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

/// Waits for the folder's lock.
pub(crate) fn lock(ui: &Ui, folder: &Path) -> Result<Lock> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
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
