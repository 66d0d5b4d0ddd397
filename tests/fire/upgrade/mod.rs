//! P9 and P20: updates, of the extension by `ALTER EXTENSION … UPDATE`, and of PostgreSQL by `pg_upgrade`.

mod catalog;
mod copied;
mod killed;
mod made_up;
mod majors;
mod newer_objects;
mod older_objects;
mod pg_upgrade;
mod served;
mod symbols;
mod while_running;

use std::sync::OnceLock;

use eventcore_harness::{Server, ServerOptions, WithScripts};

use crate::support::*;
use made_up::PRESENT;

/// PostgreSQL with all made-up versions.
fn with_scripts() -> &'static WithScripts {
    static SCRIPTS: OnceLock<WithScripts> = OnceLock::new();
    SCRIPTS.get_or_init(|| {
        let folder = WithScripts::new().unwrap();
        made_up::write(&folder);
        folder
    })
}

/// A server that can install the made-up versions.
fn start(options: ServerOptions) -> Server {
    Server::start_with(with_scripts().binaries(), options).unwrap()
}

/// Every version before the present one: the made-up ones, and those that were released.
fn older() -> Vec<String> {
    let scripts = with_scripts().of_extension("eventcore").unwrap();
    let versions = scripts.iter().filter_map(|script| {
        let version = script.strip_prefix("eventcore--")?.strip_suffix(".sql")?;
        (!version.contains("--")).then_some(version)
    });
    let older = versions.filter(|version| ![PRESENT, made_up::NEXT].contains(version));
    older.map(ToOwned::to_owned).collect()
}

/// The server of all tests here that kill nothing.
fn versions() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| start(options().without_fsync()))
}

/// A database with the objects of a version.
fn create(server: &Server, database: &str, version: &str) -> String {
    let url = server.create_empty_database(database).unwrap();
    let create = format!("CREATE EXTENSION eventcore VERSION '{version}'");
    server.psql(database, &create).unwrap();
    url
}

/// Everything that CREATE EXTENSION has made, as sorted lines.
fn catalog(server: &Server, database: &str) -> String {
    let lines = server.psql(database, include_str!("catalog.sql")).unwrap();
    assert!(lines.lines().count() > 500, "{lines}");
    lines
}

/// The lines that only one of them has.
fn difference(one: &str, other: &str) -> String {
    let only = |here: &str, there: &str, mark: char| -> String {
        let there: std::collections::HashSet<_> = there.lines().collect();
        let lines = here.lines().filter(|line| !there.contains(line));
        lines.map(|line| format!("{mark} {line}\n")).collect()
    };
    only(one, other, '-') + &only(other, one, '+')
}

/// The version of the objects.
fn version(server: &Server, database: &str) -> String {
    let sql = "SELECT extversion FROM pg_extension WHERE extname = 'eventcore'";
    server.psql(database, sql).unwrap()
}

/// Updates to the present version. `eventcore_check` finds nothing afterwards.
fn update(server: &Server, database: &str) {
    server
        .psql(database, "ALTER EXTENSION eventcore UPDATE")
        .unwrap();
    assert_eq!(version(server, database), PRESENT);
    let check = "SELECT * FROM eventcore_check(thorough => true)";
    assert_eq!(server.psql(database, check).unwrap(), "");
}

/// The SQLSTATE and the reason of an error of eventcore, and its hint.
fn refusal(error: &tokio_postgres::Error) -> (String, String, String) {
    let error = error.as_db_error().expect("an error of the server");
    let detail = error.detail().unwrap_or_default();
    let detail: serde_json::Value = serde_json::from_str(detail).unwrap_or_default();
    (
        error.code().code().to_owned(),
        detail["reason"].as_str().unwrap_or_default().to_owned(),
        error.hint().unwrap_or_default().to_owned(),
    )
}
