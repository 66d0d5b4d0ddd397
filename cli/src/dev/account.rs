//! The user that the server runs as: PostgreSQL refuses to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// The caller; or `postgres`, else `nobody`, if the caller is root.
pub(super) struct Account {
    /// User and group to switch to.
    switch_to: Option<(u32, u32)>,
}

impl Account {
    pub(super) fn for_servers() -> Result<Self, Failure> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self { switch_to: None });
        }
        let of = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
        match of("postgres").or_else(|| of("nobody")) {
            Some(found) => Ok(Self {
                switch_to: Some(found),
            }),
            None => Err(Failure::Usage(
                "PostgreSQL refuses to run as root, and there is no user `postgres`: run this as another user".to_owned(),
            )),
        }
    }

    /// Makes a command run as this user.
    pub(super) fn apply(&self, command: &mut Command) {
        // The caller's folder may be closed to that user.
        command.current_dir("/");
        if let Some((user, group)) = self.switch_to {
            command.uid(user).gid(group);
        }
    }

    /// Gives a file or a folder to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), Failure> {
        if let Some((user, group)) = self.switch_to {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let mut command = Command::new("id");
    let output = command
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
