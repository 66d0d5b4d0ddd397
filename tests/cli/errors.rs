//! Exit codes, and errors for programs.

use std::process::Stdio;
use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions, shared};

use crate::support::{Database, Ran, program};

#[test]
fn wrong_usage_is_two_and_says_what_is_wrong() {
    for arguments in [
        &[][..],
        &["none"],
        &["streams", "--limit", "many"],
        &["event", "x"],
        &["tail", "--since", "yesterday"],
        &["-o", "xml", "streams"],
        &["--url", "mysql://x", "streams"],
    ] {
        let ran = Ran::of(program().args(arguments).output().unwrap());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!ran.err.is_empty());
    }
    for arguments in [&["--help"][..], &["tail", "--help"], &["--version"]] {
        let ran = Ran::of(program().args(arguments).output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn no_server_no_database_and_no_password_are_three() {
    let server = shared();
    let folder = server.socket_folder().display().to_string();
    for url in [
        "postgresql://postgres@/postgres?host=/nowhere&port=1".to_owned(),
        "postgresql://postgres@127.0.0.1:1/postgres".to_owned(),
        format!(
            "postgresql://postgres@/cli_no_such_database?host={folder}&port={}",
            server.port()
        ),
        format!(
            "postgresql://cli_no_such_role@/postgres?host={folder}&port={}",
            server.port()
        ),
    ] {
        let mut command = program();
        command.args(["--url", &url, "-o", "json", "streams"]);
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(!ran.error()["message"].as_str().unwrap().is_empty());
        assert!(ran.out.is_empty());
    }
}

#[test]
fn a_database_without_the_extension_is_told_what_to_do() {
    let url = shared().create_empty_database("cli_no_extension").unwrap();
    let mut command = program();
    command.args(["--url", &url, "streams"]);
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("CREATE EXTENSION eventcore"), "{ran:?}");
}

#[test]
fn a_connection_that_is_lost_in_the_middle_is_three() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("lost").unwrap();
    server.psql("lost", "SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')").unwrap();

    // A statement that waits for a lock when the server goes down.
    let held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'eventcore' AND wait_event_type = 'Lock'";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let locker = runtime.block_on(async {
        let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        client
            .batch_execute("BEGIN; LOCK TABLE eventcore.events")
            .await
            .unwrap();
        client
    });
    let streams = program()
        .args(["--url", &url, "-o", "json", "streams"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while server.psql("lost", held).unwrap().trim() == "0" {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    server.restart().unwrap();
    let ended = Ran::of(streams.wait_with_output().unwrap());
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(!ended.error()["message"].as_str().unwrap().is_empty());
    drop(locker);
}

#[test]
fn ctrl_c_cancels_the_statement_in_the_server() {
    let database = Database::new("cli_cancel");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _locker = runtime.block_on(async {
        let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        let append = "BEGIN; SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')";
        client.batch_execute(append).await.unwrap();
        client
    });
    // Waits for the stream.
    let child = database.start(&["append", "a", "T"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'cli_cancel' AND application_name = 'eventcore' AND wait_event_type = 'Lock'";
    let began = Instant::now();
    while database.sql(waiting).trim() == "0" {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let ended = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{ended:?}");
    assert_eq!(database.sql(waiting).trim(), "0");
}

#[test]
fn older_objects_are_told_with_what_helps() {
    let server = shared();
    let url = server.create_empty_database("cli_older").unwrap();
    server
        .psql(
            "cli_older",
            "CREATE EXTENSION eventcore VERSION '0.1.0'; SELECT eventcore_create_subscription('mails')",
        )
        .unwrap();
    // A column of a view, and a function.
    for arguments in [&["subscriptions"][..], &["streams"]] {
        let mut command = program();
        command.args(["--url", &url, "-o", "json"]).args(arguments);
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.code, 1, "{ran:?}");
        let hint = ran.error()["hint"].as_str().unwrap_or_default().to_owned();
        assert!(
            hint.contains("are of version 0.1.0")
                && hint.ends_with("Run ALTER EXTENSION eventcore UPDATE."),
            "{ran:?}"
        );
    }
}
