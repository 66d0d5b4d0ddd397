//! Runs the blocks of a page: psql, a shell, Python and Node, each on the page's database.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use eventcore_harness::{Binaries, Server};

/// A folder with the drivers, removed by [`remove_drivers`].
fn folder() -> PathBuf {
    env::temp_dir().join(format!("eventcore-book-{}", std::process::id()))
}

/// Both outputs of a program as one text, as a terminal shows them, and whether the program
/// succeeded.
pub(super) struct Ran {
    pub(super) output: String,
    pub(super) succeeded: bool,
}

/// Runs SQL in psql, which continues after an error, as it does for a person.
pub(super) fn psql(server: &Server, database: &str, sql: &str) -> Ran {
    let mut command = command(server, database, Path::new("/bin/sh"));
    command.args(["-c", "exec psql -X -q 2>&1"]);
    run(&mut command, sql)
}

/// Runs a shell script from the root of the repository, with a folder of its own for its files; it
/// stops at the first command that fails.
pub(super) fn shell(server: &Server, database: &str, script: &str) -> Ran {
    let name = format!("eventcore-page-{}-{database}", std::process::id());
    let files = env::temp_dir().join(name);
    fs::create_dir_all(&files).unwrap();
    let mut command = command(server, database, Path::new("/bin/sh"));
    command
        .args(["-e", "-c", &format!("exec 2>&1\n{script}")])
        .current_dir(super::page::repository())
        .env("TMPDIR", &files);
    let ran = run(&mut command, "");
    fs::remove_dir_all(files).unwrap();
    ran
}

/// Runs a program in Python, with psycopg.
pub(super) fn python(server: &Server, database: &str, program: &str) -> Ran {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let venv = folder().join("venv");
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&venv)
            .status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "Python makes no virtual environment: `apt-get install python3-venv`"
        );
        let python = venv.join("bin/python");
        let pip = ["-m", "pip", "install", "--quiet", "psycopg[binary]>=3.2,<4"];
        assert!(Command::new(&python).args(pip).status().unwrap().success());
        python
    });
    program_in(server, database, python, "page.py", program)
}

/// Runs a program in JavaScript, with node-postgres.
pub(super) fn node(server: &Server, database: &str, program: &str) -> Ran {
    static NODE: OnceLock<()> = OnceLock::new();
    NODE.get_or_init(|| {
        fs::create_dir_all(folder()).unwrap();
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "pg@8",
        ]);
        let installed = npm.current_dir(folder()).status();
        assert!(
            installed.is_ok_and(|status| status.success()),
            "npm is missing or fails: `apt-get install npm`"
        );
    });
    program_in(server, database, &on_path("node"), "page.mjs", program)
}

/// Runs a binary that was built with the tests.
pub(super) fn binary(server: &Server, database: &str, path: &str) -> Ran {
    let mut command = command(server, database, Path::new(path));
    command.env("DATABASE_URL", server.url(database));
    run(&mut command, "")
}

pub(super) fn remove_drivers() {
    let _ = fs::remove_dir_all(folder());
}

/// The path of a program; the harness looks for bare names among PostgreSQL's programs.
fn on_path(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on the path"))
}

fn program_in(server: &Server, database: &str, runner: &Path, file: &str, program: &str) -> Ran {
    // A file per page, so that pages can run at the same time.
    let file = folder().join(format!("{database}-{file}"));
    fs::write(&file, program).unwrap();
    run(command(server, database, runner).arg(&file), "")
}

/// A command whose environment names the database for libpq and every driver, with psql on its
/// path.
fn command(server: &Server, database: &str, program: &Path) -> Command {
    let mut command = server.command(program.to_str().unwrap());
    let binaries = Binaries::from_env().unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [binaries.folder().to_owned()]
        .into_iter()
        .chain(env::split_paths(&path));
    command
        .env("PATH", env::join_paths(path).unwrap())
        .env("PGDATABASE", database);
    command
}

fn run(command: &mut Command, input: &str) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(input.as_bytes())));
        child.wait_with_output().unwrap()
    });
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        output: text(&output.stdout) + &text(&output.stderr),
        succeeded: output.status.success(),
    }
}
