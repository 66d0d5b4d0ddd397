//! Ctrl-C: at a question, of a server, and pressed twice.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use eventcore_harness::Binaries;
use serde_json::Value;

use crate::support::{Database, Ran, program, until};

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Runs a program at a pseudo-terminal, which Debian's `script` gives it, and presses Ctrl-C when it
/// asks; returns its exit code, and what was seen.
fn interrupted_at(question: &str, called: &str) -> (Option<i32>, String) {
    let mut child = Command::new("script")
        .args(["-qec", called, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut seen = String::new();
    let mut part = [0; 256];
    while !seen.contains(question) {
        let length = out.read(&mut part).unwrap();
        assert!(length > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    out.read_to_string(&mut seen).unwrap();
    (child.wait().unwrap().code(), seen)
}

#[test]
fn ctrl_c_at_a_question_ends_the_command_without_an_answer() {
    let database = Database::new("cli_interrupted_question");
    database.sql("SELECT eventcore_create_subscription('mails')");
    let called = format!(
        "exec {} --url '{}' subscriptions drop mails",
        program().get_program().display(),
        database.url
    );
    let (code, seen) = interrupted_at("[y/N]", &called);
    assert_eq!(code, Some(130), "{seen}");
    assert!(seen.contains("interrupted"), "{seen}");
    assert_eq!(database.json(&["subscriptions"])[0]["name"], "mails");
}

#[test]
fn a_command_that_serves_ends_with_0_when_it_is_told_to() {
    let database = Database::new("cli_interrupted_server");
    for (arguments, sent) in [
        (&["console", "--listen", "127.0.0.1:0"][..], "-INT"),
        (&["console", "--listen", "127.0.0.1:0"], "-TERM"),
        (&["metrics", "--listen", "127.0.0.1:0"], "-INT"),
        (&["metrics", "--listen", "127.0.0.1:0"], "-TERM"),
    ] {
        let mut child = database.start(arguments);
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(line.contains(" at http://127.0.0.1:"), "{line}");
        signal(&child, sent);
        let ended = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, 0, "{arguments:?} {sent}: {ended:?}");
    }
}

/// A session that was stopped by a signal keeps the server from ending in order.
#[test]
fn ctrl_c_ends_the_question_for_a_password_and_pressed_twice_the_server_of_dev_at_once() {
    let folder = std::env::temp_dir().join(format!("eventcore-dev-twice-{}", std::process::id()));
    let binaries = Binaries::from_env().unwrap();
    let mut child = program()
        .args(["dev", "-o", "jsonl", "--no-console", "--no-sample"])
        .arg("--pg-bin")
        .arg(binaries.folder())
        .arg("--data")
        .arg(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let running: Value = serde_json::from_str(&line).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_client, pid) = runtime.block_on(async {
        let url = running["url"].as_str().unwrap();
        let connected = tokio_postgres::connect(url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
        let pid: i32 = row.unwrap().get(0);
        (client, pid)
    });
    let tcp = running["tcp_url"].as_str().unwrap();
    let without_password = format!("postgresql://postgres@{}", tcp.split('@').nth(1).unwrap());
    let called = format!(
        "exec env -u PGPASSWORD HOME=/ {} stats --url '{without_password}'",
        program().get_program().display()
    );
    let (code, seen) = interrupted_at("Password for user", &called);
    assert_eq!(code, Some(130), "{seen}");
    let stopped = Command::new("kill")
        .args(["-STOP", &pid.to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let log = |text: &str| {
        let log = std::fs::read_to_string(folder.join("log")).unwrap();
        log.contains(text)
    };
    signal(&child, "-INT");
    until("the end in order", || log("received fast shutdown request"));
    signal(&child, "-INT");
    let ended = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(log("received immediate shutdown request"));
    let postmaster = running["pid"].as_u64().unwrap();
    assert!(!Path::new(&format!("/proc/{postmaster}")).exists());
    std::fs::remove_dir_all(folder).unwrap();
}

/// PostgreSQL waits five seconds for the sessions of a database that it copies, and opens no other
/// meanwhile.
#[test]
fn a_person_is_told_what_a_connection_waits_for() {
    let database = Database::new("cli_interrupted_copy");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = || async {
        let url = database
            .url
            .replacen("/cli_interrupted_copy", "/postgres", 1);
        let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        client
    };
    let _in_use = runtime.block_on(async {
        let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        client
    });
    let (copier, watcher) = runtime.block_on(async { (connect().await, connect().await) });
    let copy = runtime.spawn(async move {
        copier
            .batch_execute("CREATE DATABASE cli_copy_of TEMPLATE cli_interrupted_copy")
            .await
    });
    until("the copy", || {
        let copying = "SELECT count(*) FROM pg_locks WHERE classid = 'pg_database'::regclass AND mode = 'ShareLock' AND granted
                          AND objid = (SELECT oid FROM pg_database WHERE datname = 'cli_interrupted_copy')";
        let count: i64 = runtime
            .block_on(watcher.query_one(copying, &[]))
            .unwrap()
            .get(0);
        count == 1
    });
    let ran = database.run(&["stats", "-v"]);
    assert!(
        ran.err.contains(
            "waiting for the server to open a session on database \"cli_interrupted_copy\""
        ),
        "{ran:?}"
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    // Another session uses the database.
    assert!(runtime.block_on(copy).unwrap().is_err());
    let quiet = database.run(&["stats"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""), "{quiet:?}");
}
