//! P9: copies of a database. One database contains everything that can exist, in the middle of its
//! work; each way to copy it is a test. Afterwards the copy has the same contents and continues as
//! the original would: nothing is skipped, nothing takes effect twice, and no position is given out
//! again.

mod dumps;
mod publication;
mod replicas;
mod roles;
mod triggers;

use std::process::Stdio;
use std::sync::OnceLock;

use eventcore_harness::{Server, ServerOptions};

/// The server of these tests, with room for the workers of each database. It ends with the process.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(options()).unwrap())
}

fn options() -> ServerOptions {
    ServerOptions::new()
        .set("max_worker_processes", "100")
        .set("wal_level", "logical")
}

/// The database that is copied, filled once.
fn source() -> &'static Original {
    static SOURCE: OnceLock<Original> = OnceLock::new();
    SOURCE.get_or_init(|| Original::fill(server(), "copies"))
}

/// The contents of a database, and the highest position that it has given out.
pub(crate) struct Original {
    name: String,
    contents: String,
    given: i64,
}

impl Original {
    /// Makes a database and fills it.
    pub(crate) fn fill(server: &Server, name: &str) -> Self {
        server.create_database(name).unwrap();
        server.psql(name, include_str!("fill.sql")).unwrap();
        Self::of(server, name)
    }

    /// The contents of a database.
    fn of(server: &Server, name: &str) -> Self {
        let given = server.psql(name, "SELECT eventcore_safe_position()");
        Self {
            name: name.to_owned(),
            contents: contents(server, name),
            given: given.unwrap().parse().unwrap(),
        }
    }

    /// The copy has the same contents.
    #[track_caller]
    fn assert_holds_the_same(&self, server: &Server, copy: &str) {
        assert_same(&self.contents, &contents(server, copy));
    }

    /// The copy has the same contents, and continues.
    #[track_caller]
    pub(crate) fn assert_copied(&self, server: &Server, copy: &str) {
        self.assert_holds_the_same(server, copy);
        assert_goes_on(server, copy, self.given);
    }
}

/// Nothing is skipped, nothing is done twice, and no position up to `given` is given out again.
#[track_caller]
fn assert_goes_on(server: &Server, database: &str, given: i64) {
    let script = format!("\\set given {given}\n{}", include_str!("go_on.sql"));
    let mistakes = server.psql(database, &script).unwrap();
    assert!(mistakes.trim().is_empty(), "{mistakes}");
}

/// Every row of eventcore and of the application, one per line. It leaves out what each copy has of
/// its own: the databases of its rows, the OIDs of roles, and whether a worker runs a projection.
fn contents(server: &Server, database: &str) -> String {
    const TABLES: [&str; 18] = [
        "eventcore.events",
        "eventcore.streams",
        "eventcore.subscriptions",
        "eventcore.leases",
        "eventcore.deliveries",
        "eventcore.acknowledged",
        "eventcore.backlogs",
        "eventcore.parked",
        "eventcore.checkpoints",
        "eventcore.projections",
        "eventcore.projection_parked",
        "eventcore.commands",
        "eventcore.executions",
        "ledger",
        "tally",
        "without_key",
        "client_view",
        "consumed",
    ];
    let rows = TABLES.map(|table| {
        format!("SELECT '{table} ' || (to_jsonb(t) - '{{home_id,owner,status,table_ids}}'::text[])::text FROM {table} t ORDER BY 1;")
    });
    server.psql(database, &rows.concat()).unwrap()
}

#[track_caller]
fn assert_same(original: &str, copy: &str) {
    let only = |one: &str, other: &str| -> String {
        let other: std::collections::HashSet<_> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.take(5).map(|line| format!("{line}\n")).collect()
    };
    assert!(
        original == copy,
        "only in the original:\n{}only in the copy:\n{}",
        only(original, copy),
        only(copy, original)
    );
}

/// The SQLSTATE, the message and the hint of a statement that fails.
#[track_caller]
fn failure(server: &Server, database: &str, sql: &str) -> String {
    server.psql(database, sql).expect_err(sql).to_string()
}

/// Runs one of PostgreSQL's programs, which must succeed; returns its output.
#[track_caller]
fn run(server: &Server, program: &str, arguments: &[&str]) -> Vec<u8> {
    let (status, output, errors) = attempt(server, program, arguments, b"");
    assert!(status, "{program} {arguments:?}: {errors}");
    output
}

/// Runs one of PostgreSQL's programs; returns whether it succeeded, its output, and its error
/// output.
fn attempt(
    server: &Server,
    program: &str,
    arguments: &[&str],
    input: &[u8],
) -> (bool, Vec<u8>, String) {
    let mut command = server.command(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut pipe, input));
        child.wait_with_output().unwrap()
    });
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), output.stdout, errors)
}
