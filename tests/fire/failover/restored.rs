//! A store that is restored into a running server.

use std::process::Stdio;

use super::*;

/// 900 events, 50 positions that were rolled back, and consumers that have passed all of them.
async fn store(name: &str) -> (String, Session) {
    let url = database(name);
    let session = connect(&url).await;
    session
        .batch_execute(
            "SELECT eventcore_create_subscription('inside');
             CREATE TABLE seen (position bigint);
             CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.seen VALUES (e.position)';",
        )
        .await
        .unwrap();
    append_many(&session, "s", 900).await;
    session.batch_execute("BEGIN").await.unwrap();
    append_many(&session, "never", 50).await;
    session.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(poll(&session, "inside").await.len(), 900);
    // Acknowledges up to the safe position.
    assert_eq!(poll(&session, "inside").await.len(), 0);
    let advance = "SELECT eventcore_advance_checkpoint('outside', 0, eventcore_safe_position())";
    session.batch_execute(advance).await.unwrap();
    let read = "SELECT read_position FROM eventcore.subscriptions";
    assert_eq!(number(&*session, read).await, 950);
    let what = "the notifier has written down the safe position";
    eventually(what, async || {
        let settled = "SELECT last_value FROM eventcore.settled_position";
        number(&*session, settled).await == 950
    })
    .await;
    (url, session)
}

fn pipe(program: &str, arguments: &[&str], input: Vec<u8>) -> Vec<u8> {
    let mut command = server().command(program);
    command.args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut pipe, &input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output.stdout
}

fn restore(from: &str, to: &str, psql: &[&str]) {
    let dump = pipe("pg_dump", &["-d", from], Vec::new());
    server().create_empty_database(to).unwrap();
    let arguments = [&["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", to], psql].concat();
    pipe("psql", &arguments, dump);
}

/// Events that are appended to a copy reach the consumers that had passed everything in the
/// original.
async fn assert_goes_on(url: &str, last: i64) -> Session {
    let session = connect(url).await;
    let appended = append_one(&*session, "s").await;
    assert!(appended > last, "{appended} is not above {last}");
    assert_eq!(appended % SPAN, 1);
    assert_eq!(poll(&session, "inside").await, [appended]);
    let outside = number(&*session, "SELECT eventcore_checkpoint('outside')").await;
    let read = read_all(&*session, outside, 10).await.unwrap();
    assert_eq!(
        read.iter().map(|event| event.position).collect::<Vec<_>>(),
        [appended]
    );
    session
}

#[tokio::test]
async fn what_is_appended_to_a_copy_is_above_the_checkpoints_that_came_along() {
    store("restored").await;
    restore("restored", "restored_copy", &[]);
    let copy = assert_goes_on(&server().url("restored_copy"), 950).await;
    // A reader of the original that has continued there gets an error. The history of the copy may
    // have begun as soon as the 900 events were there, before the position of the consumers.
    let agreed = diverged(read_all(&*copy, 50_000, 10).await)["agreed"].clone();
    assert!([json!(900), json!(950)].contains(&agreed), "{agreed}");
    // Another append begins no further history.
    let next = append_one(&*copy, "s").await;
    assert_eq!(next, SPAN + 2);
    assert_eq!(poll(&copy, "inside").await, [next]);
    let advance = format!("SELECT eventcore_advance_checkpoint('outside', 950, {next})");
    copy.batch_execute(&advance).await.unwrap();
    restore("restored_copy", "restored_again", &[]);
    assert_goes_on(&server().url("restored_again"), next).await;
}

#[tokio::test]
async fn a_restore_in_one_transaction_is_above_them_too() {
    store("restored_single").await;
    restore(
        "restored_single",
        "restored_single_copy",
        &["--single-transaction"],
    );
    assert_goes_on(&server().url("restored_single_copy"), 950).await;
}

#[tokio::test]
async fn a_restore_without_its_triggers_is_above_them_too() {
    let (_, original) = store("restored_bare").await;
    let dump = pipe(
        "pg_dump",
        &["-Fc", "--data-only", "-d", "restored_bare"],
        Vec::new(),
    );
    let url = database("restored_bare_copy");
    let seen = "CREATE TABLE seen (position bigint)";
    server().psql("restored_bare_copy", seen).unwrap();
    // A session that has appended before, and one that connects later.
    let session = connect(&url).await;
    session.batch_execute("BEGIN").await.unwrap();
    append_one(&*session, "never").await;
    session.batch_execute("ROLLBACK").await.unwrap();
    pipe(
        "pg_restore",
        &[
            "--disable-triggers",
            "--exit-on-error",
            "-d",
            "restored_bare_copy",
        ],
        dump,
    );
    session
        .batch_execute(
            "ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER events_before_insert;
             ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER events_are_immutable;
             ALTER TABLE eventcore.events ENABLE ALWAYS TRIGGER every_event_is_immutable;",
        )
        .await
        .unwrap();
    assert!(append_one(&*session, "s").await > SPAN);
    assert_eq!(poll(&session, "inside").await.len(), 1);
    assert_eq!(truth(&*original).await.len(), 900);
}

#[tokio::test]
async fn a_database_copied_by_create_database_begins_another_history() {
    let (_, original) = store("restored_template").await;
    drop(original);
    eventually("no session is connected to the original", async || {
        let create = "CREATE DATABASE restored_template_copy TEMPLATE restored_template";
        server().psql("postgres", create).is_ok()
    })
    .await;
    let copy = assert_goes_on(&server().url("restored_template_copy"), 950).await;
    let (cause, agreed, _, first) = histories(&*copy).await.pop().unwrap();
    assert_eq!((cause.as_str(), agreed, first), ("database", 950, SPAN));
}

/// A transaction that inserts rows and appends, and rows below what this store has given out.
#[tokio::test]
async fn rows_that_come_by_sql_begin_another_history_only_above_what_was_given_out() {
    let url = database("restored_rows");
    let session = connect(&url).await;
    append_many(&session, "s", 10).await;
    let insert = |position: i64| {
        format!(
            "INSERT INTO eventcore.events VALUES ({position}, {position}, now(), gen_random_uuid(), 'foreign', 'Came', '{{}}')"
        )
    };
    session
        .batch_execute(&format!("BEGIN; {}", insert(50)))
        .await
        .unwrap();
    assert_eq!(append_one(&*session, "s").await, SPAN + 1);
    session
        .batch_execute(&format!("{}; COMMIT", insert(60)))
        .await
        .unwrap();
    for n in 2..5 {
        session.batch_execute(&insert(100 + n)).await.unwrap();
        assert_eq!(append_one(&*session, "s").await, SPAN + n);
    }
    assert_eq!(histories(&*session).await.len(), 2);
}

/// A sequence that was set back, as by a partial restore, is not a dead end: no reader skips later
/// events.
#[tokio::test]
async fn a_sequence_that_is_behind_the_events_is_passed_after_a_restart() {
    for (database, reset, crashes) in [
        (
            "behind",
            "SELECT setval('eventcore.position_blocks', 1)",
            false,
        ),
        (
            "behind_new",
            "SELECT setval('eventcore.position_blocks', 1, false)",
            true,
        ),
        (
            "behind_restarted",
            "ALTER SEQUENCE eventcore.position_blocks RESTART",
            true,
        ),
        (
            "behind_both",
            "ALTER SEQUENCE eventcore.position_blocks RESTART; ALTER SEQUENCE eventcore.settled_position RESTART",
            false,
        ),
    ] {
        let mut server = Server::start(options()).unwrap();
        let url = server.create_database(database).unwrap();
        let session = connect(&url).await;
        session
            .batch_execute("SELECT eventcore_create_subscription('inside')")
            .await
            .unwrap();
        append_many(&session, "s", 3000).await;
        assert_eq!(poll(&session, "inside").await.len(), 3000);
        session.batch_execute(reset).await.unwrap();
        // Before the restart, the server uses its memory.
        assert_eq!(append_one(&*session, "s").await, 3001);
        if crashes {
            server.kill_postmaster_9().unwrap();
            server.start_again().unwrap();
        } else {
            server.restart().unwrap();
        }
        let session = connect(&url).await;
        assert!(read_all(&*session, 3000, 10).await.is_ok());
        assert_eq!(append_one(&*session, "s").await, SPAN + 1, "{reset}");
        assert_eq!(histories(&*session).await[1].0, "behind");
        assert_eq!(poll(&session, "inside").await, [3001, SPAN + 1], "{reset}");
        let read = read_all(&*session, 3000, 10).await.unwrap();
        assert_eq!(read.len(), 2, "{reset}");
    }
}
