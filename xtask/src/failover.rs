//! `cargo xtask failover`: three nodes under Patroni, faults, and a check of the promises. This
//! prepares the programs; the package in `tests/failover` starts the nodes and injects the faults.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use eventcore_harness::{Account, run as output_of};

use crate::PgOption;
use crate::lock::try_lock;
use crate::setup::{self, Installation};
use crate::stamp::{is_stamped, write_stamp};
use crate::step::Ui;
use crate::workspace::Workspace;

/// Debian's Patroni is 3.0, which has no `synchronous_mode: quorum`.
const REQUIREMENTS: [&str; 2] = ["patroni[etcd3]==4.1.*", "psycopg[binary]==3.3.*"];

/// Runs `$2 …`, then ends everything that it left behind and deletes the folder `$1`: after a
/// success, a failure or a kill.
///
/// It finds the processes by the folder in their command lines. Of a server it finds only the
/// postmaster, and the other processes end with it. A shell also waits for adopted children: a
/// postmaster whose Patroni was killed becomes its child, and would otherwise stay as a zombie
/// whose process id looks taken to the next postmaster.
const CONTAINED: &str = r#"
folder=$1
shift
trap : INT TERM HUP
"$@"
code=$?
for signal in TERM KILL; do
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [ "$pid" = $$ ] && continue
        if tr '\0' ' ' 2>/dev/null <"$entry/cmdline" | grep -qF -- "$folder/"; then
            kill -s "$signal" "$pid" 2>/dev/null
            found=yes
        fi
    done
    [ -n "$found" ] && sleep 1
done
rm -rf -- "$folder" || { sleep 1; rm -rf -- "$folder"; }
exit $code
"#;

/// `cargo xtask failover …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// How long faults are injected
    #[arg(long, value_name = "N", default_value_t = 120)]
    seconds: u64,
    /// Which faults: the same number gives the same faults
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Passed on: `-- --help` lists the options
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let Some(_lock) = try_lock(&workspace.target.join("xtask/failover"))? else {
        bail!("another cargo xtask failover is running in this clone; wait for its end");
    };
    let installation = setup::run(workspace, ui, arguments.pg.pg)?;
    for (program, package) in [
        ("etcd", "etcd-server"),
        ("haproxy", "haproxy"),
        ("ip", "iproute2"),
    ] {
        setup::ensure_on_path(ui, program, package)?;
    }
    let patroni = patroni(ui, &installation)?;
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "eventcore-failover"]);
    ui.run("failover: build", &mut cargo)?;

    let folder = folder(&installation.account)?;
    let mut command = contained(ui);
    command.arg(&folder);
    command.arg(workspace.target.join("debug/failover"));
    command
        .arg("--binaries")
        .arg(installation.binaries.folder());
    command.arg("--patroni").arg(patroni);
    command.arg("--folder").arg(&folder);
    command
        .arg("--reports")
        .arg(workspace.target.join("failover"));
    command.args(["--seconds", &arguments.seconds.to_string()]);
    command.args(["--seed", &arguments.seed.to_string()]);
    if !can_unshare() {
        command.arg("--loopback");
    }
    command.args(&arguments.arguments).stdin(Stdio::null());
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let status = command.status().context("cannot run the fail-over test")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The shell that runs it and cleans up; if possible, in namespaces of its own for processes and
/// network.
fn contained(ui: &Ui) -> Command {
    let mut command;
    if can_unshare() {
        command = Command::new("unshare");
        command.args(["--net", "--pid", "--mount-proc", "--fork", "--kill-child"]);
        command.arg("/bin/sh");
    } else {
        ui.say("network namespaces need root: the nodes run on the loopback interface, and no link is cut");
        command = Command::new("/bin/sh");
    }
    command.args(["-c", CONTAINED, "eventcore-failover"]);
    command
}

fn can_unshare() -> bool {
    let mut test = Command::new("unshare");
    test.args(["--net", "--pid", "--mount-proc", "--fork", "ip", "rule"]);
    test.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    test.status().is_ok_and(|status| status.success())
}

/// Patroni's program, in a virtual environment that the user for servers can enter.
fn patroni(ui: &Ui, installation: &Installation) -> Result<PathBuf> {
    let account = &installation.account;
    let python = python(ui, account)?;
    let venv = installation.base.join("xtask/patroni");
    let (stamp, program) = (venv.join("installed"), venv.join("bin/patroni"));
    // pip writes this path into what it installs.
    let wanted = format!("{} {}", venv.display(), REQUIREMENTS.join(" "));
    if is_stamped(&stamp, &wanted) {
        return Ok(program);
    }
    let step = ui.step(&format!("patroni in {}", venv.display()));
    let mut make = Command::new(python);
    step.run(make.args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    step.run(pip.args(REQUIREMENTS))?;
    let mut open = Command::new("chmod");
    step.run(open.args(["-R", "a+rX"]).arg(&venv))?;
    if let Some(parent) = venv.parent() {
        step.run(Command::new("chmod").arg("a+x").arg(parent))?;
    }
    let mut test = Command::new(&program);
    test.arg("--version").current_dir("/");
    account.apply(&mut test);
    let version = output_of(&mut test)?;
    write_stamp(&stamp, &wanted)?;
    step.done_with(version.trim());
    Ok(program)
}

/// A Python that the user for servers can run; it cannot run one below root's home.
fn python(ui: &Ui, account: &Account) -> Result<PathBuf> {
    let usable = |python: &Path| {
        let mut test = Command::new(python);
        test.args(["-c", "import ensurepip, venv"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        account.apply(&mut test);
        test.status().is_ok_and(|status| status.success())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("python3"))
        .find(|python| usable(python));
    if let Some(python) = found {
        return Ok(python);
    }
    setup::install_package(ui, "python3-venv")?;
    let debian = PathBuf::from("/usr/bin/python3");
    if usable(&debian) {
        return Ok(debian);
    }
    bail!(
        "there is no Python with `venv` that the user {} can run: install python3-venv",
        account.name()
    )
}

/// A new folder that the user for servers can reach and write to.
fn folder(account: &Account) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("eventcore-failover-{}", std::process::id()));
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    account.give(&folder)?;
    if !account.can_enter(&folder) {
        fs::remove_dir(&folder)?;
        bail!(
            "the user {} cannot reach {}: set TMPDIR to a folder that is open to all",
            account.name(),
            folder.display()
        );
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_leaves_is_ended_and_its_folder_deleted() {
        let folder = std::env::temp_dir().join(format!("xtask-failover-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        // The run is killed and leaves a shell that has the folder in its command line.
        let leave =
            r#"/bin/sh -c 'while :; do sleep 0.1; done' "$0/left" & echo $!; kill -s KILL $$"#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", CONTAINED, "sh"]).arg(&folder);
        command.args(["/bin/sh", "-c", leave]).arg(&folder);
        let output = command.output().unwrap();
        assert!(!output.status.success());
        assert!(!folder.exists());
        let left = String::from_utf8(output.stdout).unwrap();
        let line = fs::read_to_string(format!("/proc/{}/cmdline", left.trim()));
        assert_eq!(
            line.unwrap_or_default(),
            "",
            "process {left} is still there"
        );
    }
}
