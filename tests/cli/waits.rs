//! A statement that waits for a lock of another session tells for whom.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::support::{Database, Ran};

/// A session that has locked what `pause mails` wants.
fn holder(database: &Database) -> (Runtime, Client) {
    database.sql("SELECT eventcore_create_subscription('mails')");
    // A command that tells nothing ends with an error.
    database.sql(&format!(
        "ALTER DATABASE {} SET lock_timeout = '60 s'",
        database.name
    ));
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    });
    let holder = (runtime, client);
    run(&holder, "SET application_name = 'invoice run'");
    hold(&holder);
    holder
}

fn run((runtime, client): &(Runtime, Client), sql: &str) {
    runtime.block_on(client.batch_execute(sql)).unwrap();
}

fn hold(holder: &(Runtime, Client)) {
    run(holder, "BEGIN");
    run(holder, "SELECT FROM eventcore.subscriptions\n  FOR UPDATE");
}

fn pid((runtime, client): &(Runtime, Client)) -> i32 {
    let row = runtime.block_on(client.query_one("SELECT pg_backend_pid()", &[]));
    row.unwrap().get(0)
}

/// Longer than it takes until that is told.
fn until_it_has_waited(database: &Database) {
    let waits =
        "SELECT coalesce(max(extract(epoch FROM now() - query_start)), 0) > 4 FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock'";
    crate::support::until("it has waited", || database.sql(waits) == "t");
}

fn end(holder: &(Runtime, Client)) {
    run(holder, "ROLLBACK");
}

/// A command of the role that this URL names, with this for its stderr.
fn start_at(database: &Database, url: &str, arguments: &[&str], stderr: Stdio) -> Child {
    let mut command = database.command(arguments);
    command
        .env("EVENTCORE_URL", url)
        .stdout(Stdio::piped())
        .stderr(stderr);
    command.spawn().unwrap()
}

/// The first line that a command tells, and the rest.
fn first_told(child: &mut Child) -> (String, BufReader<ChildStderr>) {
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    (line, told)
}

/// What a line says after how long the command has waited, which is longer on a busy machine.
fn for_whom(line: &str) -> &str {
    let (waited, whom) = line.split_once(" s for ").unwrap();
    let waited: u64 = waited.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(waited >= 2, "{line}");
    whom
}

#[test]
fn a_command_that_waits_for_a_lock_tells_for_whom_and_goes_on_after_that() {
    let database = Database::new("cli_waits");
    let holder = holder(&database);
    let pid = database.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'invoice run' AND datname = current_database()");
    for arguments in [
        &["subscriptions", "pause", "mails"][..],
        &["subscriptions", "resume", "mails", "-o", "json"],
    ] {
        let mut child = database.start(arguments);
        let (line, mut told) = first_told(&mut child);
        let whom = for_whom(&line);
        let begin = format!(
            "process {pid} (invoice run, role postgres, idle in transaction, its transaction began "
        );
        assert!(whom.starts_with(&begin), "{line}");
        let query = "): SELECT FROM eventcore.subscriptions FOR UPDATE\n";
        assert!(whom.ends_with(query), "{line}");
        assert!(line.contains("waiting for "), "{line}");
        end(&holder);
        let mut rest = String::new();
        told.read_to_string(&mut rest).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, rest.as_str()), (0, ""), "{ran:?}");
        if arguments.contains(&"json") {
            let told: Value = serde_json::from_str(&ran.out).unwrap();
            assert_eq!(told, json!({"subscription": "mails", "done": "resumed"}));
        }
        hold(&holder);
    }
}

#[test]
fn a_role_with_fewer_rights_is_told_the_process_and_its_application() {
    let database = Database::new("cli_waits_rights");
    database.sql("CREATE ROLE cli_waits_subscriber LOGIN IN ROLE eventcore_subscriber");
    let holder = holder(&database);
    let url = database.url_of("cli_waits_subscriber");
    let pause = ["subscriptions", "pause", "mails"];
    let mut child = start_at(&database, &url, &pause, Stdio::piped());
    let (line, _told) = first_told(&mut child);
    let shown = format!("process {} (invoice run, role postgres)\n", pid(&holder));
    assert_eq!(for_whom(&line), shown);
    end(&holder);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn who_wants_no_remark_gets_none_and_who_waits_for_no_lock_neither() {
    let database = Database::with_workers("cli_waits_quiet");
    database.sql(
        "CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
         SELECT eventcore_create_projection('p', 'nothing')",
    );
    let arguments = [
        "projections",
        "wait",
        "p",
        "--position",
        "5",
        "--timeout",
        "4s",
    ];
    let waited = database.run(&arguments);
    assert_eq!(waited.code, 1, "{waited:?}");
    assert!(!waited.err.contains("waiting for"), "{waited:?}");

    let holder = holder(&database);
    let child = database.start(&["subscriptions", "pause", "mails", "-q"]);
    until_it_has_waited(&database);
    end(&holder);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
}

/// Who cannot read the remark wants the result all the same.
#[test]
fn a_command_ends_well_whose_remarks_cannot_be_written() {
    let database = Database::new("cli_waits_full");
    let holder = holder(&database);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    database
        .sql("CREATE ROLE cli_waits_single LOGIN CONNECTION LIMIT 1 IN ROLE eventcore_subscriber");
    let single = database.url_of("cli_waits_single");
    for (url, action, done) in [
        (&database.url, "pause", "paused"),
        (&single, "resume", "resumed"),
    ] {
        let arguments = ["subscriptions", action, "mails"];
        let child = start_at(&database, url, &arguments, full().unwrap().into());
        until_it_has_waited(&database);
        end(&holder);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains(done), "{ran:?}");
        hold(&holder);
    }
}

/// The second connection is refused, which is told.
#[test]
fn a_command_ends_well_if_nobody_can_be_asked_for_whom_it_waits() {
    let database = Database::new("cli_waits_limit");
    let holder = holder(&database);
    database
        .sql("CREATE ROLE cli_waits_limited LOGIN CONNECTION LIMIT 1 IN ROLE eventcore_subscriber");
    let url = database.url_of("cli_waits_limited");
    let pause = ["subscriptions", "pause", "mails", "-o", "json"];
    let mut child = start_at(&database, &url, &pause, Stdio::piped());
    let (line, mut told) = first_told(&mut child);
    assert!(line.contains("too many connections for role"), "{line}");
    end(&holder);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!((ran.code, rest.as_str()), (0, ""), "{ran:?}");
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told, json!({"subscription": "mails", "done": "paused"}));
}
