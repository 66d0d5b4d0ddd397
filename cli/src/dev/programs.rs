//! Where PostgreSQL's programs are, of a server that has the files of eventcore.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use crate::failure::Failure;

/// The programs of a PostgreSQL with eventcore.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    version: String,
}

impl Programs {
    /// Those in this folder; or the newest that `pg_config` names, or that are where Debian and others
    /// put them.
    pub(super) fn find(given: Option<&Path>) -> Result<Self, Failure> {
        if let Some(folder) = given {
            let Some(version) = version(folder) else {
                let folder = folder.display();
                return Err(Failure::Usage(format!(
                    "there is no PostgreSQL server in {folder}"
                )));
            };
            let folder = std::path::absolute(folder)?;
            return match has_eventcore(&folder, &version) {
                true => Ok(Self { folder, version }),
                false => Err(without(&version)),
            };
        }
        let mut found: Vec<(u32, PathBuf, String)> = Vec::new();
        for folder in candidates() {
            if let Some(version) = version(&folder) {
                found.push((major(&version), folder, version));
            }
        }
        found.sort();
        let newest = found.last().map(|(_, _, version)| version.clone());
        let with = found
            .into_iter()
            .rfind(|(_, folder, version)| has_eventcore(folder, version));
        match (with, newest) {
            (Some((_, folder, version)), _) => Ok(Self { folder, version }),
            (None, Some(version)) => Err(without(&version)),
            (None, None) => Err(Failure::Usage(
                "no PostgreSQL server was found: install one, or name its programs by --pg-bin"
                    .to_owned(),
            )),
        }
    }

    /// The version of PostgreSQL.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// One of the programs, run as the server's user, without the caller's settings for PostgreSQL.
    pub(super) fn command(&self, program: &str, account: &Account) -> Command {
        let mut command = Command::new(self.folder.join(program));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        account.apply(&mut command);
        command.stdin(Stdio::null());
        command
    }
}

fn without(version: &str) -> Failure {
    let major = major(version);
    Failure::Usage(format!(
        "PostgreSQL {version} has no eventcore: install the package postgresql-{major}-eventcore, or name the programs \
         of another by --pg-bin"
    ))
}

fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = output(Command::new("pg_config").arg("--bindir")) {
        folders.push(PathBuf::from(folder));
    }
    for (parent, below) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr/local/pgsql", ""),
        ("/opt/homebrew/opt", "bin"),
    ] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join(below)));
    }
    folders
}

/// The version of the server in a folder.
fn version(folder: &Path) -> Option<String> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let told = output(Command::new(folder.join("postgres")).arg("--version"))?;
    let version = told.split_whitespace().nth(2)?;
    Some(version.to_owned())
}

fn major(version: &str) -> u32 {
    let digits = version
        .split(|letter: char| !letter.is_ascii_digit())
        .next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Whether the control file of eventcore is where this server looks for it.
fn has_eventcore(folder: &Path, version: &str) -> bool {
    let major = major(version);
    let told = output(Command::new(folder.join("pg_config")).arg("--sharedir"));
    let beside = [
        "../share".to_owned(),
        "../share/postgresql".to_owned(),
        // Debian: /usr/lib/postgresql/15/bin and /usr/share/postgresql/15.
        format!("../../../../share/postgresql/{major}"),
    ];
    let shares = beside.iter().map(|path| folder.join(path));
    let mut shares = shares.chain(told.map(PathBuf::from));
    shares.any(|share| share.join("extension/eventcore.control").is_file())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_is_the_number_at_the_beginning_of_a_version() {
        assert_eq!(major("15.20"), 15);
        assert_eq!(major("18beta1"), 18);
        assert_eq!(major(""), 0);
    }

    #[test]
    fn a_folder_without_a_server_is_refused_by_its_name() {
        let error = Programs::find(Some(Path::new("/no/such/folder"))).unwrap_err();
        let Failure::Usage(message) = error else {
            panic!("{error:?}");
        };
        assert!(message.contains("/no/such/folder"), "{message}");
    }
}
