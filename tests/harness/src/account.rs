//! The operating system's user that servers run as: PostgreSQL refuses to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::{Error, Result};

const FALLBACK: &str = "nobody";

/// The user that servers run as: the caller, or `postgres` (else `nobody`) when the caller is root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    name: String,
    /// User and group to switch to; `None` when the caller's own will do.
    switch_to: Option<(u32, u32)>,
}

impl Account {
    /// Finds the user for servers.
    ///
    /// # Errors
    /// The caller is root and the machine knows neither `postgres` nor `nobody`.
    pub fn for_servers() -> Result<Self> {
        static FOUND: OnceLock<Account> = OnceLock::new();
        if let Some(account) = FOUND.get() {
            return Ok(account.clone());
        }
        let account = Self::find()?;
        // The fallback is not remembered: `postgres` appears when PostgreSQL is installed.
        if account.name == FALLBACK {
            return Ok(account);
        }
        Ok(FOUND.get_or_init(|| account).clone())
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is another user than the caller, who is then root.
    pub fn is_other(&self) -> bool {
        self.switch_to.is_some()
    }

    /// Makes `command` run as this user, without the caller's extra groups.
    pub fn apply(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.switch_to {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives one file or folder to this user.
    ///
    /// # Errors
    /// The file does not exist or the file system refuses.
    pub fn give(&self, path: &Path) -> Result<()> {
        match self.switch_to {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(Error::io(format_args!(
                "give {} to {}",
                path.display(),
                self.name
            ))),
            None => Ok(()),
        }
    }

    /// Whether this user can enter the folder; it cannot enter one below a closed home directory.
    pub fn can_enter(&self, folder: &Path) -> bool {
        if !self.is_other() {
            return folder.is_dir();
        }
        let mut test = Command::new("/bin/sh");
        test.args(["-c", "cd -- \"$1\"", "sh"])
            .arg(folder)
            .current_dir("/");
        test.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.apply(&mut test);
        test.status().is_ok_and(|status| status.success())
    }

    fn find() -> Result<Self> {
        let caller = id(&["-u"])
            .ok_or_else(|| Error::new("cannot tell who runs this: `id -u` does not work"))?;
        if caller != "0" {
            let name = id(&["-un"]).unwrap_or(caller);
            return Ok(Self {
                name,
                switch_to: None,
            });
        }
        for name in ["postgres", FALLBACK] {
            let number = |flag| id(&[flag, name]).and_then(|text| text.parse().ok());
            if let (Some(uid), Some(gid)) = (number("-u"), number("-g")) {
                return Ok(Self {
                    name: name.to_owned(),
                    switch_to: Some((uid, gid)),
                });
            }
        }
        Err(Error::new(
            "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as: \
             `useradd --system postgres`",
        ))
    }
}

fn id(arguments: &[&str]) -> Option<String> {
    let output = Command::new("id")
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_for_servers_is_never_root() {
        let account = Account::for_servers().unwrap();
        let mut whoami = Command::new("id");
        whoami.arg("-u").current_dir("/");
        account.apply(&mut whoami);
        let uid = String::from_utf8(whoami.output().unwrap().stdout).unwrap();
        assert_ne!(uid.trim(), "0");
    }

    #[test]
    fn a_folder_of_everybody_can_be_entered() {
        assert!(Account::for_servers().unwrap().can_enter(Path::new("/")));
    }

    #[test]
    fn a_folder_that_does_not_exist_cannot_be_entered() {
        assert!(
            !Account::for_servers()
                .unwrap()
                .can_enter(Path::new("/no/such/folder"))
        );
    }
}
