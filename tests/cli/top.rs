//! `top`: one frame, and a pseudo-terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::{Database, program};

fn busy(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"Opened\",\"payload\":{\"n\": 1}}]');
         SELECT eventcore_append(ARRAY[E'evil-\\u202e\\u009b31m'], ARRAY[0]::bigint[], jsonb_build_array(jsonb_build_object('stream', E'evil-\\u202e\\u009b31m', 'type', 'T', 'payload', 2)));
         SELECT eventcore_create_subscription('mails');
         CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
         SELECT eventcore_create_projection('totals', 'nothing'); SELECT eventcore_pause_projection('totals')",
    );
    database
}

#[test]
fn one_frame_shows_rates_readers_and_the_last_events() {
    let database = busy("cli_top_once");
    let frame = database.ok(&[
        "top",
        "--once",
        "--interval",
        "0.2",
        "--width",
        "100",
        "--height",
        "30",
    ]);
    assert_eq!(frame.lines().count(), 30);
    assert!(
        frame.lines().all(|line| line.chars().count() <= 100),
        "{frame}"
    );
    for text in [
        "cli_top_once",
        "safe position 2",
        "appends/s",
        "rolled back/s",
        "SUBSCRIPTION",
        "mails",
        "totals",
        "paused",
        "Opened",
        "{\"n\": 1}",
        "q quit",
    ] {
        assert!(frame.contains(text), "{text}: {frame}");
    }
    assert!(
        frame.contains("evil-\\u{202e}") && !frame.contains(['\u{202e}', '\u{9b}', '\u{1b}']),
        "{frame:?}"
    );
    // What does not fit is left out, and nothing panics.
    let small = database.ok(&[
        "top",
        "--once",
        "--interval",
        "0.1",
        "--width",
        "20",
        "--height",
        "10",
    ]);
    assert!(small.contains("safe position"), "{small}");
    assert_eq!(database.run(&["top", "--interval", "0"]).code, 2);
}

/// Debian's `script` gives a program a pseudo-terminal.
#[test]
fn a_terminal_shows_what_happens_and_is_left_as_it_was() {
    let database = busy("cli_top_terminal");
    let called = format!(
        "stty rows 40 cols 120; exec {} top --interval 0.2",
        program().get_program().display()
    );
    let mut child = Command::new("script")
        .args(["-qec", &called, "/dev/null"])
        .env("EVENTCORE_URL", &database.url)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (tell, told) = channel();
    let mut out = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = out.read(&mut part) {
            let _ = tell.send(String::from_utf8_lossy(&part[..length]).into_owned());
        }
    });
    let mut seen = String::new();
    let mut until = |what: &str| {
        let began = Instant::now();
        while !seen.contains(what) {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "no {what:?}: {seen:?}"
            );
            if let Ok(part) = told.recv_timeout(Duration::from_millis(100)) {
                seen.push_str(&part);
            }
        }
        seen.clear();
    };
    // The other screen.
    until("\u{1b}[?1049h");
    until("Opened");
    database.sql("SELECT eventcore_append(ARRAY['a'], ARRAY[1]::bigint[], '[{\"stream\":\"a\",\"type\":\"Renamed\",\"payload\":1}]')");
    until("Renamed");
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"K").unwrap();
    until("no session holds r");
    keys.write_all(b" ").unwrap();
    until("paused");
    keys.write_all(b"q").unwrap();
    until("\u{1b}[?1049l");
    assert!(child.wait().unwrap().success());
}
