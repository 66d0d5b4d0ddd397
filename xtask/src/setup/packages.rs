//! Packages: missing ones are installed with apt, or named.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Result, bail};
use eventcore_harness::{Account, pgbouncer_program};

use super::source::{Layout, Source};
use crate::step::Ui;

/// Installs packages as root. Debian's PostgreSQL would create and start a cluster; this prevents
/// that, and restores the machine's own setting afterwards. Debian also starts PgBouncer, etcd,
/// HAProxy and Prometheus after the installation and at boot; this prevents that if they were not
/// installed before.
const INSTALL: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
conf=/etc/postgresql-common/createcluster.conf
default=/usr/share/postgresql-common/createcluster.conf
restore() {
    if [ -e "$conf.eventcore" ]; then
        mv "$conf.eventcore" "$conf"
    elif [ -e "$default" ]; then
        cp "$default" "$conf"
        rm -f "$conf.ucf-dist"
    else
        rm -f "$conf"
    fi
}
trap restore EXIT
mkdir -p "${conf%/*}"
if [ -e "$conf" ] && [ ! -e "$conf.eventcore" ]; then cp -p "$conf" "$conf.eventcore"; fi
echo 'create_main_cluster = false' >>"$conf"
apt-get install -y -q --no-install-recommends "$@"
for service in pgbouncer:pgbouncer etcd-server:etcd haproxy:haproxy prometheus:prometheus \
    prometheus-postgres-exporter:prometheus-postgres-exporter; do
    case " $* " in *" ${service%:*} "*)
        # It need not have been started: in a container, nothing is.
        service "${service#*:}" stop || true
        update-rc.d "${service#*:}" disable
    esac
done
"#;

/// The libraries and data that a PostgreSQL from PyPI uses from the system.
const LIBRARIES: [&str; 7] = [
    "libgssapi-krb5-2",
    "liblz4-1",
    "libreadline8",
    "libssl3",
    "libxml2",
    "libzstd1",
    "tzdata",
];

/// What a machine is set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To build the extension and run a server with it.
    Server,
    /// To run the tests too.
    Tests,
}

/// Installs what is missing to use this PostgreSQL, but for what comes from PyPI.
pub(crate) fn ensure(ui: &Ui, source: &Source, purpose: Purpose) -> Result<()> {
    let packages = missing(source, purpose);
    if packages.is_empty() {
        return Ok(());
    }
    if !has_apt() {
        bail!("{}", advice(&packages));
    }
    update_lists(ui, &packages)?;
    if let Some(package) = packages.iter().find(|package| !apt_offers(package)) {
        bail!(
            "apt does not offer {package}: choose another PostgreSQL with `--pg N`, or add \
             https://apt.postgresql.org to apt's sources"
        );
    }
    install_packages(ui, &packages)?;
    let still = missing(source, purpose);
    if still.is_empty() {
        return Ok(());
    }
    bail!(
        "apt has installed {}, but they are still not found",
        still.join(", ")
    )
}

/// Installs the libraries that a PostgreSQL from PyPI uses from the system.
pub(crate) fn install_libraries(ui: &Ui) -> Result<()> {
    let packages = LIBRARIES.map(str::to_owned);
    if !has_apt() {
        bail!("{}", advice(&packages));
    }
    update_lists(ui, &packages)?;
    install_packages(ui, &packages)
}

/// Whether the system has the data of time zones.
pub(crate) fn has_time_zones() -> bool {
    Path::new("/usr/share/zoneinfo/UTC").is_file()
}

/// Installs the package that contains a program, unless the program is on the path or the
/// environment variable `or` names it.
pub(crate) fn ensure_program(ui: &Ui, program: &str, or: &str, package: &str) -> Result<()> {
    if env::var_os(or).is_some() || on_path(program) {
        return Ok(());
    }
    if !has_apt() {
        bail!("{program} is missing: install it, or name it by {or} (Debian's {package})");
    }
    install_package(ui, package)
}

/// Installs the package that contains a program, unless the program is on the path or where Debian
/// keeps administrators' programs.
pub(crate) fn ensure_on_path(ui: &Ui, program: &str, package: &str) -> Result<()> {
    let of_administrators = Path::new("/usr/sbin").join(program);
    if on_path(program) || of_administrators.is_file() {
        return Ok(());
    }
    install_package(ui, package)
}

/// Installs what compiles the extension, for a PostgreSQL whose headers are there.
pub(crate) fn ensure_compiler(ui: &Ui) -> Result<()> {
    let missing = compiler().into_iter().filter(|(found, _)| !found);
    let packages: Vec<String> = missing.map(|(_, package)| package.to_owned()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !has_apt() {
        bail!("{}", advice(&packages));
    }
    update_lists(ui, &packages)?;
    install_packages(ui, &packages)
}

/// Installs one package with apt.
pub(crate) fn install_package(ui: &Ui, package: &str) -> Result<()> {
    if !has_apt() {
        bail!("what Debian's package {package} holds is missing: install it");
    }
    let packages = [package.to_owned()];
    update_lists(ui, &packages)?;
    install_packages(ui, &packages)
}

fn install_packages(ui: &Ui, packages: &[String]) -> Result<()> {
    let title = format!("packages: {}", packages.join(" "));
    let mut shell = as_root(ui, packages)?;
    ui.run(
        &title,
        shell.args(["/bin/sh", "-c", INSTALL, "sh"]).args(packages),
    )
}

/// The missing packages, found by looking for the files that are needed of each: they may come from
/// elsewhere.
fn missing(source: &Source, purpose: Purpose) -> Vec<String> {
    let major = source.major;
    let mut packages = Vec::new();
    let mut need = |found: bool, package: String| {
        if !found {
            packages.push(package);
        }
    };
    match source.layout {
        Layout::Debian => {
            let headers = format!("/usr/include/postgresql/{major}/server/postgres.h");
            need(source.is_there(), format!("postgresql-{major}"));
            need(
                Path::new(&headers).is_file() && source.bin().join("pg_config").is_file(),
                format!("postgresql-server-dev-{major}"),
            );
        }
        Layout::Wheel(_) => need(source.is_there() || has_venv(), "python3-venv".to_owned()),
        Layout::OneFolder(_) => {}
    }
    for (found, package) in compiler() {
        need(found, package.to_owned());
    }
    need(
        purpose == Purpose::Server || pgbouncer_program().is_ok(),
        "pgbouncer".to_owned(),
    );
    if purpose == Purpose::Tests {
        for (found, package) in drivers().into_iter().chain(monitoring()) {
            need(found, package.to_owned());
        }
    }
    packages
}

/// What compiles the extension.
fn compiler() -> [(bool, &'static str); 3] {
    [
        (has_libclang(), "libclang-dev"),
        (on_path("cc"), "gcc"),
        (Path::new("/usr/include/stdio.h").is_file(), "libc6-dev"),
    ]
}

/// Drivers of other languages that the tests run, and the tools that install those of Python and
/// Node. No Java development kit: it takes about 300 MB, and its test runs only where there is one.
fn drivers() -> [(bool, &'static str); 8] {
    let jdbc = Path::new("/usr/share/java/postgresql.jar");
    let php = r#"exit(extension_loaded("pdo_pgsql") ? 0 : 1);"#;
    [
        (has_venv(), "python3-venv"),
        (on_path("node"), "nodejs"),
        (on_path("npm"), "npm"),
        (
            succeeds("perl", &["-MDBD::Pg", "-MJSON::PP", "-e1"]),
            "libdbd-pg-perl",
        ),
        (succeeds("ruby", &["-rpg", "-e1"]), "ruby-pg"),
        (on_path("php"), "php-cli"),
        (succeeds("php", &["-r", php]), "php-pgsql"),
        (
            !on_path("javac") || jdbc.is_file(),
            "libpostgresql-jdbc-java",
        ),
    ]
}

/// Debian's Python lacks what creates virtual environments.
fn has_venv() -> bool {
    succeeds("python3", &["-c", "import ensurepip, venv"])
}

/// What checks the files of the pages on monitoring: promtool comes with Prometheus, about 100 MB.
fn monitoring() -> [(bool, &'static str); 2] {
    [
        (on_path("promtool"), "prometheus"),
        (
            on_path("prometheus-postgres-exporter"),
            "prometheus-postgres-exporter",
        ),
    ]
}

/// bindgen needs the library, and clang's own headers (`stddef.h`).
fn has_libclang() -> bool {
    if env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    children("/usr/lib")
        .iter()
        .filter(|folder| starts_with(folder, "llvm-"))
        .any(|llvm| {
            let library = children(llvm.join("lib"))
                .iter()
                .any(|file| starts_with(file, "libclang.so"))
                || children(llvm.join("lib"))
                    .iter()
                    .any(|file| starts_with(file, "libclang-"));
            let headers = children(llvm.join("lib/clang"))
                .iter()
                .any(|version| version.join("include/stddef.h").is_file());
            library && headers
        })
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn children(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

fn starts_with(path: &Path, prefix: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

/// Whether a folder of PATH has the program.
pub(crate) fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn has_apt() -> bool {
    Path::new("/usr/bin/apt-get").is_file() && Path::new("/etc/debian_version").is_file()
}

/// Whether apt offers a package. If the lists at hand do not name it, they are updated first; if that
/// fails, the answer is no.
pub(crate) fn apt_offers_after_update(ui: &Ui, package: &str) -> bool {
    if !has_apt() {
        return false;
    }
    let packages = [package.to_owned()];
    apt_offers(package) || update_lists(ui, &packages).is_ok() && apt_offers(package)
}

/// Whether apt offers a package.
pub(crate) fn apt_offers(package: &str) -> bool {
    let output = Command::new("apt-cache")
        .args(["show", "--no-all-versions", package])
        .output();
    output.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
}

/// Reads the lists of what apt offers, to install `packages` afterwards.
fn update_lists(ui: &Ui, packages: &[String]) -> Result<()> {
    let mut command = as_root(ui, packages)?;
    ui.run(
        "packages: apt-get update",
        command.args(["apt-get", "update", "-q"]),
    )
}

/// A command prefix that runs the rest as root: `env`, or `sudo`.
fn as_root(ui: &Ui, packages: &[String]) -> Result<Command> {
    if Account::for_servers().map_or(true, |account| account.is_other()) {
        return Ok(Command::new("env"));
    }
    let may = |arguments: &[&str]| {
        let mut sudo = Command::new("sudo");
        sudo.args(arguments);
        if !ui.is_terminal() {
            sudo.stdin(Stdio::null()).stderr(Stdio::null());
        }
        sudo.status().is_ok_and(|status| status.success())
    };
    let ready = may(&["-n", "true"]) || {
        // It asks for the password on the terminal before a spinner is shown.
        ui.is_terminal() && {
            ui.say("packages are missing; sudo may ask for your password to install them");
            may(&["-v"])
        }
    };
    if ready {
        let mut sudo = Command::new("sudo");
        sudo.arg("-n");
        return Ok(sudo);
    }
    let packages = packages.join(" ");
    bail!(
        "{packages} must be installed, and neither root nor sudo is at hand.\n\
         Have an administrator run: apt-get install {packages}"
    )
}

fn advice(packages: &[String]) -> String {
    format!(
        "some of what is needed is not installed, and this is neither Debian nor Ubuntu, where it would be now.\n\
         Install what these packages of Debian hold: {}.\n\
         A PostgreSQL (15 to 18, with headers) in a folder of its own is used when\n\
         EVENTCORE_PG_CONFIG=<folder>/bin/pg_config; libclang is found through LIBCLANG_PATH.",
        packages.join(", ")
    )
}
