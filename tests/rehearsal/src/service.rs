//! [`Service`]: a program of the shop, as a process of its own: psql with a script.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use eventcore_harness::{Error, Result, Server};

/// Runs the script again whenever it has ended, as a supervisor does, until the server's folder is
/// gone: then nobody is left who could end it.
const SUPERVISED: &str = r#"
while [ -d "$PGHOST" ]; do
    printf '%s' "$2" | "$1" -X -q -v ON_ERROR_STOP=1 -f -
    sleep 0.2
done
"#;

/// Runs the same statement again and again in one session, whether it fails or not.
const REPEATED: &str = r#"yes "$2" | "$1" -X -q -f -"#;

/// A program of the shop. Dropped, it is killed with all its processes, as by `kill -9`.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    process: Child,
    /// Open as long as the program lives: psql ends when it is closed.
    _input: Option<ChildStdin>,
}

/// Who a program is to the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    pub(crate) database: &'static str,
    pub(crate) role: &'static str,
    pub(crate) application: &'static str,
}

impl Service {
    /// A program that is started again whenever it ends.
    pub(crate) fn supervised(server: &Server, login: Login, script: &str) -> Result<Self> {
        Self::shell(server, login, SUPERVISED, script)
    }

    /// A session that runs one statement again and again.
    pub(crate) fn repeated(server: &Server, login: Login, statement: &str) -> Result<Self> {
        Self::shell(server, login, REPEATED, statement)
    }

    /// A program that runs a script and then keeps its session open.
    pub(crate) fn session(server: &Server, login: Login, script: &str) -> Result<Self> {
        let mut psql = server.command("psql");
        psql.args(["-X", "-q", "-f", "-"]).stdin(Stdio::piped());
        let mut service = Self::start(psql, login)?;
        let Some(mut input) = service.process.stdin.take() else {
            return Err(Error::new(format!(
                "{}: psql has no input",
                login.application
            )));
        };
        let written = input.write_all(script.as_bytes());
        written.map_err(|error| Error::new(format!("{}: {error}", login.application)))?;
        service._input = Some(input);
        Ok(service)
    }

    /// The name that the server shows.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    fn shell(server: &Server, login: Login, program: &str, script: &str) -> Result<Self> {
        let psql = server.command("psql");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", program, login.application]);
        shell.arg(psql.get_program()).arg(script);
        for (name, value) in psql.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.stdin(Stdio::null());
        Self::start(shell, login)
    }

    fn start(mut command: Command, login: Login) -> Result<Self> {
        command
            .env("PGDATABASE", login.database)
            .env("PGUSER", login.role)
            .env("PGAPPNAME", login.application)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its processes are ended together, and not by a Ctrl-C that is meant for the caller.
            .process_group(0);
        let process = command
            .spawn()
            .map_err(|error| Error::new(format!("cannot start {}: {error}", login.application)))?;
        Ok(Self {
            name: login.application,
            process,
            _input: None,
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The shell's own `kill` takes a process group; the library of Rust does not.
        let _ended_before = Command::new("/bin/sh")
            .args(["-c", "kill -s KILL -- \"-$1\"", "sh"])
            .arg(self.process.id().to_string())
            .stderr(Stdio::null())
            .status();
        let _ = self.process.wait();
    }
}
