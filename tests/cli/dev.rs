//! `dev`: a server for as long as the command runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use eventcore_harness::Binaries;
use serde_json::{Value, json};

use crate::support::{Ran, program, until};

/// Starts it, and returns what it says when the server is ready.
fn start(arguments: &[&str]) -> (Child, Value) {
    let binaries = Binaries::from_env().unwrap();
    let mut command = program();
    command
        .args(["dev", "-o", "jsonl", "--pg-bin"])
        .arg(binaries.folder());
    command.args(arguments);
    // Of the caller's own server, and nothing to do with this one.
    command.envs([
        ("PGSSLMODE", "verify-full"),
        ("PGHOST", "elsewhere.example"),
        ("PGPORT", "1"),
        ("PGOPTIONS", "-c search_path=nowhere"),
        ("PGTARGETSESSIONATTRS", "read-only"),
        ("PGSERVICE", "none"),
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    match serde_json::from_str(&line) {
        Ok(running) => (child, running),
        Err(error) => panic!("{error}: {:?}", Ran::of(child.wait_with_output().unwrap())),
    }
}

fn end(child: Child, signal: &str) -> Ran {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    Ran::of(child.wait_with_output().unwrap())
}

fn on(running: &Value, url: &str, arguments: &[&str]) -> Value {
    let mut command = program();
    command
        .env("EVENTCORE_URL", running[url].as_str().unwrap())
        .args(arguments)
        .args(["-o", "json"]);
    serde_json::from_str(&Ran::of(command.output().unwrap()).ok()).unwrap()
}

#[track_caller]
fn assert_nothing_is_left(running: &Value) {
    let pid = running["pid"].as_u64().unwrap();
    until("the end of the server", || {
        !Path::new(&format!("/proc/{pid}")).exists()
    });
    let folder = running["folder"].as_str().unwrap();
    assert!(!Path::new(folder).exists(), "{folder}");
}

#[test]
fn a_server_with_sample_data_and_a_console_runs_until_ctrl_c() {
    let (child, running) = start(&["--listen", "127.0.0.1:0"]);
    assert!(on(&running, "url", &["streams"]).as_array().unwrap().len() >= 10);
    assert_eq!(
        on(&running, "tcp_url", &["commands"])
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let parked = on(&running, "url", &["parked", "mails"]);
    assert_eq!(parked[0]["reason"], "smtp: 550 no such user");
    on(
        &running,
        "url",
        &["projections", "wait", "balances", "--timeout", "60s"],
    );
    let found = on(&running, "url", &["doctor", "--fail-on", "never"]);
    let ids = found["findings"].as_array().unwrap().iter();
    assert!(
        ids.map(|finding| &finding["id"])
            .all(|id| id != "search_path")
    );
    let state = on(
        &running,
        "url",
        &["commands", "state", "transfer", "account-ada", "--at", "2"],
    );
    assert_eq!(state["state"], json!({"account-ada": 100000}));

    let health = format!("{}healthz", running["console"].as_str().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(async { reqwest::get(health).await.unwrap().status() });
    assert!(answer.is_success(), "{answer}");

    let ended = end(child, "-INT");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_nothing_is_left(&running);
}

#[test]
fn sigterm_stops_the_server_too_and_a_folder_that_was_named_stays() {
    let folder = std::env::temp_dir().join(format!("eventcore-dev-kept-{}", std::process::id()));
    let arguments = [
        "--no-console",
        "--no-sample",
        "--data",
        folder.to_str().unwrap(),
    ];
    let (child, running) = start(&arguments);
    assert_eq!(running["console"], Value::Null);
    on(&running, "url", &["append", "a", "T"]);
    let ended = end(child, "-TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    let pid = running["pid"].as_u64().unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());

    let (child, running) = start(&arguments);
    assert_eq!(on(&running, "url", &["stream", "show", "a"])["version"], 1);
    end(child, "-TERM");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_missing_is_told() {
    let mut command = program();
    let ran = Ran::of(
        command
            .args(["dev", "--pg-bin", "/no/such/folder"])
            .output()
            .unwrap(),
    );
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("/no/such/folder"), "{ran:?}");
}
