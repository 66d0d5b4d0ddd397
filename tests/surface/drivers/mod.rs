//! Drivers of other languages, called as their users call them: the tour of `examples/drivers`, and
//! the banking example. The output is compared with one expected text for all drivers.
//!
//! The drivers for Python and Node come from PyPI and npm, into a folder that is deleted
//! afterwards; the others are packages of Debian.

mod banking;
mod node;
mod python;
mod tours;

use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::{env, fs};

use eventcore_harness::{Binaries, shared};

/// A folder that is deleted at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("eventcore-drivers-{}-{name}", id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// Copies the files of a folder of the repository, such as `examples/drivers/node`, into it.
    fn copy(&self, folder: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(folder);
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), self.path(file.file_name())).unwrap();
        }
    }

    fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.0.join(file)
    }

    /// A command in it, whose environment names the database for every driver, with `psql` on the
    /// path.
    fn command(&self, program: impl AsRef<Path>, database: &str) -> Command {
        let mut command = shared().command(program.as_ref().to_str().unwrap());
        let binaries = Binaries::from_env().unwrap();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = [binaries.folder().to_owned()]
            .into_iter()
            .chain(env::split_paths(&path));
        command
            .env("PATH", env::join_paths(path).unwrap())
            .env("PGDATABASE", database)
            .current_dir(&self.0);
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The output of a command that succeeds.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    out
}

/// The path of a program, if it is on `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The path of a program, or how to install it.
#[track_caller]
fn program(name: &str, package: &str) -> PathBuf {
    find(name).unwrap_or_else(|| {
        panic!(
            "{name} is not on the path: run `cargo xtask test`, which installs it, or \
             `apt-get install {package}`"
        )
    })
}
