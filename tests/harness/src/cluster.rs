//! A new cluster on disk: `initdb` once for each version of PostgreSQL, then copies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::account::Account;
use crate::binaries::{Binaries, PG_CACHE};
use crate::error::{Error, Result};
use crate::process::run;
use crate::temp::unique_name;
use crate::url::SUPERUSER;

/// Makes a new cluster in `data`: UTF-8 and the C locale, [`SUPERUSER`], trust on the unix socket
/// (close its folder to others), a password on TCP.
///
/// # Errors
/// `initdb` fails; the error holds its output.
pub fn initdb(binaries: &Binaries, account: &Account, data: &Path) -> Result<()> {
    run(&mut initdb_command(binaries, account, data)).map(|_| ())
}

/// Puts a new cluster into `data` for a test: a copy of the one in the cache, which is made if it
/// is missing.
pub(crate) fn new_cluster(binaries: &Binaries, account: &Account, data: &Path) -> Result<()> {
    let Some(cache) = env::var_os(PG_CACHE).map(PathBuf::from) else {
        return run(initdb_command(binaries, account, data).arg("--no-sync")).map(|_| ());
    };
    let version = run(binaries.command("initdb").arg("--version"))?;
    let version: String = version
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    let template = cache.join(format!("cluster-{version}"));
    if !template.is_dir() {
        // Under a temporary name first, because another process may be doing the same.
        let draft = cache.join(unique_name());
        run(initdb_command(binaries, account, &draft).arg("--no-sync"))?;
        if let Err(error) = fs::rename(&draft, &template) {
            let _ = fs::remove_dir_all(&draft);
            if !template.is_dir() {
                return Err(Error::io(format_args!("write {}", template.display()))(
                    error,
                ));
            }
        }
    }
    let mut copy = Command::new("cp");
    copy.arg("-Rp").arg(&template).arg(data).current_dir("/");
    account.apply(&mut copy);
    run(&mut copy).map(|_| ())
}

/// Makes a new cluster in `data` that `pg_upgrade` can fill with the contents of another one: both
/// have checksums, or none.
pub(crate) fn new_cluster_like(
    (old, old_data): (&Binaries, &Path),
    binaries: &Binaries,
    account: &Account,
    data: &Path,
) -> Result<()> {
    let control = run(old.command_as(account, "pg_controldata").arg(old_data))?;
    let checksums = control
        .lines()
        .find_map(|line| line.strip_prefix("Data page checksum version:"))
        .is_some_and(|version| version.trim() != "0");
    let options = run(binaries.command("initdb").arg("--help"))?;
    let mut initdb = initdb_command(binaries, account, data);
    match (checksums, options.contains("--no-data-checksums")) {
        (true, false) => initdb.arg("--data-checksums"),
        (false, true) => initdb.arg("--no-data-checksums"),
        _ => &mut initdb,
    };
    run(initdb.arg("--no-sync")).map(|_| ())
}

fn initdb_command(binaries: &Binaries, account: &Account, data: &Path) -> Command {
    let mut command = binaries.command_as(account, "initdb");
    command.arg("--pgdata").arg(data);
    command.args(["--username", SUPERUSER, "--encoding=UTF8", "--no-locale"]);
    command.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
    // The superuser has no password yet, so there is no login over TCP until it gets one.
    command
}
