//! `tail` and `stream events -f`: what is there, and what comes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use eventcore_harness::{Server, ServerOptions};
use serde_json::Value;

use crate::support::{Database, Ran, program, words};

fn append(database: &Database, stream: &str, payload: i64) {
    database.sql(&format!(
        "SELECT eventcore_append(ARRAY['{stream}'], ARRAY[NULL]::bigint[], '[{{\"stream\":\"{stream}\",\"type\":\"T\",\"payload\":{payload}}}]')"
    ));
}

/// The lines of a program that goes on.
fn lines(child: &mut Child) -> Receiver<String> {
    let (tell, told) = channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    told
}

#[track_caller]
fn next(lines: &Receiver<String>) -> Value {
    let line = lines.recv_timeout(Duration::from_secs(30)).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn the_newest_events_are_shown_oldest_first() {
    let database = Database::new("cli_tail");
    for n in 1..=12 {
        append(&database, if n % 2 == 0 { "even" } else { "odd" }, n);
    }
    let shown = database.ok(&["tail"]);
    assert_eq!(shown.lines().count(), 10);
    assert_eq!(words(shown.lines().next().unwrap())[0], "3");
    let shown = database.ok(&["tail", "-n", "2", "--prefix", "even"]);
    let positions: Vec<&str> = shown.lines().map(|line| words(line)[0]).collect();
    assert_eq!(positions, ["10", "12"]);
    assert_eq!(
        database
            .ok(&["tail", "--since", "7", "-o", "jsonl"])
            .lines()
            .count(),
        5
    );
    assert_eq!(database.ok(&["tail", "--since", "1h"]).lines().count(), 12);
    assert_eq!(
        database
            .ok(&["tail", "--since", "0", "-n", "3"])
            .lines()
            .count(),
        3
    );
    assert_eq!(database.ok(&["tail", "--type", "none"]), "");
    let other = database.run(&["tail", "--since", "99999"]);
    assert_eq!(other.code, 0, "{other:?}");
}

#[test]
fn only_payloads_or_a_part_of_them_are_printed_as_the_server_has_them() {
    let database = Database::with_workers("cli_tail_payload");
    database.sql(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[
            {\"stream\":\"a\",\"type\":\"T\",\"payload\":{\"cents\":12345678901234567890.10,\"a/b\":[1,{\"n\":2}]}},
            {\"stream\":\"a\",\"type\":\"T\",\"payload\":\"\\u009b31m\"}]')",
    );
    let raw = database.ok(&["tail", "--payload", "-o", "jsonl"]);
    assert_eq!(
        raw,
        "{\"a/b\": [1, {\"n\": 2}], \"cents\": 12345678901234567890.10}\n\"\u{9b}31m\"\n"
    );
    let table = database.ok(&["tail", "--payload"]);
    assert!(table.ends_with("\"\\u{9b}31m\"\n"), "{table}");
    for (pointer, printed) in [
        ("--payload=/cents", "12345678901234567890.10\n"),
        ("--payload=/a~1b/1", "{\"n\": 2}\n"),
        ("--payload=/a~1b/1/n", "2\n"),
        ("--payload=/none", ""),
    ] {
        assert_eq!(database.ok(&["tail", pointer]), printed, "{pointer}");
        assert_eq!(database.ok(&["tail", "--since", "0", pointer]), printed);
    }
    let wrong = database.run(&["tail", "--payload=cents"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");

    let mut child = database.start(&["tail", "-f", "--payload=/cents"]);
    let told = lines(&mut child);
    let line = told.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(line, "12345678901234567890.10");
    database.sql("SELECT eventcore_append(ARRAY['a'], ARRAY[2]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":{\"cents\":1.50}}]')");
    let line = told.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(line, "1.50");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn events_that_come_are_shown_until_ctrl_c() {
    let database = Database::with_workers("cli_tail_f");
    append(&database, "a", 1);
    let mut child = database.start(&["tail", "-f", "--prefix", "a", "-o", "jsonl"]);
    let told = lines(&mut child);
    assert_eq!(next(&told)["payload"], 1);
    append(&database, "b", 2);
    append(&database, "a", 3);
    assert_eq!(next(&told)["payload"], 3);
    interrupt(&child);
    let ended = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{ended:?}");
}

#[test]
fn a_stream_is_followed_and_others_with_its_name_as_prefix_are_not() {
    let database = Database::with_workers("cli_follow");
    append(&database, "a", 1);
    let mut child = database.start(&["stream", "events", "a", "-f", "-o", "jsonl"]);
    let told = lines(&mut child);
    assert_eq!(next(&told)["payload"], 1);
    append(&database, "ab", 2);
    append(&database, "a", 3);
    assert_eq!(next(&told)["payload"], 3);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reader_that_closes_the_pipe_is_told_nothing() {
    let database = Database::with_workers("cli_pipe");
    append(&database, "a", 1);
    let mut child = database.start(&["tail", "-f", "-o", "jsonl"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    append(&database, "a", 2);
    let ended = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
}

#[test]
fn a_tail_goes_on_after_a_restart_of_the_server_without_a_gap() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("tailed").unwrap();
    let add = |server: &Server, n: i64| {
        server
            .psql("tailed", &format!("SELECT eventcore_append(ARRAY['a'], ARRAY[NULL]::bigint[], '[{{\"stream\":\"a\",\"type\":\"T\",\"payload\":{n}}}]')"))
            .unwrap();
    };
    add(&server, 1);
    let mut command = program();
    command.args(["--url", &url, "tail", "-f", "-o", "jsonl"]);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let told = lines(&mut child);
    assert_eq!(next(&told)["payload"], 1);
    add(&server, 2);
    assert_eq!(next(&told)["payload"], 2);
    server.restart().unwrap();
    for n in 3..6 {
        add(&server, n);
    }
    for n in 3..6 {
        assert_eq!(next(&told)["payload"], n);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
