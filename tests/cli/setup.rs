//! `setup`: what is missing is told, brought in once, and nothing is done twice.

use eventcore_harness::{Server, ServerOptions, shared};
use serde_json::{Value, json};

use crate::support::{Ran, program};

fn setup(url: &str, arguments: &[&str]) -> Ran {
    let mut command = program();
    command
        .env("EVENTCORE_URL", url)
        .arg("setup")
        .args(arguments);
    Ran::of(command.output().unwrap())
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn a_database_is_set_up_once() {
    // Not the shared server: the doctor would find what other tests leave there.
    let server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_empty_database("cli_setup").unwrap();
    let wanted = [
        "--schema",
        "My events",
        "--application",
        "cli_setup \"app\"",
        "--monitor",
        "cli_setup \"app\"",
    ];
    let script = setup(&url, &[&wanted[..], &["--dry-run"]].concat()).ok();
    assert_eq!(
        script.lines().collect::<Vec<_>>(),
        [
            "CREATE SCHEMA \"My events\";",
            "CREATE EXTENSION eventcore SCHEMA \"My events\";",
            "GRANT USAGE ON SCHEMA \"My events\" TO eventcore_reader, eventcore_writer, eventcore_subscriber, eventcore_executor, eventcore_projector, eventcore_monitor;",
            "CREATE ROLE \"cli_setup \"\"app\"\"\" LOGIN;",
            "GRANT eventcore_reader, eventcore_writer, eventcore_subscriber, eventcore_monitor TO \"cli_setup \"\"app\"\"\";",
        ]
    );
    // Nothing is asked where nobody can answer.
    let asked = setup(&url, &wanted);
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.err.contains("--yes"), "{asked:?}");

    let done = setup(&url, &[&wanted[..], &["--yes", "-o", "json"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let report = document(&done);
    assert_eq!(report["is_done"], true);
    assert_eq!(report["statements"].as_array().unwrap().len(), 5);
    assert!(report["diagnosis"]["findings"].is_array());
    let mut append = program();
    append
        .env(
            "EVENTCORE_URL",
            url.replacen("postgres@", "cli_setup%20%22app%22@", 1),
        )
        .args(["append", "a", "T"]);
    Ran::of(append.output().unwrap()).ok();

    let again = document(&setup(&url, &[&wanted[..], &["-o", "json"]].concat()));
    assert_eq!(again["statements"], json!([]));
    let told = setup(&url, &wanted).ok();
    assert!(told.contains("There is nothing to set up."), "{told}");
}

#[test]
fn a_server_without_the_library_is_told_what_loads_it() {
    let mut server = Server::start(ServerOptions::new().without_preload()).unwrap();
    let url = server.create_empty_database("without").unwrap();
    let told = setup(&url, &["--yes"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(
        told.out
            .contains("ALTER SYSTEM SET shared_preload_libraries = 'eventcore'"),
        "{told:?}"
    );
    let found = "SELECT count(*) FROM pg_extension WHERE extname = 'eventcore'";
    assert_eq!(server.psql("without", found).unwrap(), "0");

    server
        .psql(
            "postgres",
            "ALTER SYSTEM SET shared_preload_libraries = 'eventcore'",
        )
        .unwrap();
    let told = setup(&url, &["--yes"]);
    assert!(
        told.code == 1 && told.out.contains("restart") && !told.out.contains("ALTER SYSTEM"),
        "{told:?}"
    );
    server.restart().unwrap();
    setup(&url, &["--yes"]).ok();
    assert_eq!(server.psql("without", found).unwrap(), "1");
}

#[test]
fn a_database_in_another_encoding_or_a_small_role_is_an_obstacle() {
    let server = shared();
    server
        .psql("postgres", "CREATE DATABASE cli_setup_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'; CREATE ROLE cli_setup_small LOGIN")
        .unwrap();
    let latin = setup(&server.url("cli_setup_latin"), &["--yes", "-o", "json"]);
    assert_eq!(latin.code, 1, "{latin:?}");
    let report = document(&latin);
    assert_eq!(report["is_done"], false);
    assert!(
        report["obstacles"][0]["message"]
            .as_str()
            .unwrap()
            .contains("LATIN1")
    );

    let url = server.create_empty_database("cli_setup_small").unwrap();
    let url = url.replacen("postgres@", "cli_setup_small@", 1);
    let small = setup(&url, &["--yes"]);
    assert_eq!(small.code, 1, "{small:?}");
    assert!(small.out.contains("no superuser"), "{small:?}");
}

#[test]
fn what_is_printed_is_what_is_run_also_for_names_that_cannot_be_shown() {
    let server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_empty_database("cli_setup_names").unwrap();
    let role = "app\u{1b}[2J\u{202e}\\ü";
    let script = setup(&url, &["--application", role, "--dry-run"]).ok();
    assert!(
        script.contains(r#"U&"app\+00001b[2J\+00202e\\ü""#),
        "{script}"
    );
    server.psql("cli_setup_names", &script).unwrap();
    let found = "SELECT count(*) FROM pg_roles WHERE rolname = E'app\\u001b[2J\\u202e\\\\ü'";
    assert_eq!(server.psql("cli_setup_names", found).unwrap(), "1");
    let again = document(&setup(&url, &["--application", role, "-o", "json"]));
    assert_eq!(again["statements"], json!([]));
}
