//! Names that would write to the terminal, hide, or turn the direction of the text around them.

use serde_json::Value;

use crate::support::{Database, Ran};

/// Names that the store takes: no ASCII control characters, at most 255 bytes.
fn names() -> [String; 5] {
    [
        "c1-\u{9b}31m\u{9d}0;title\u{9c}".to_owned(),
        "rtl-\u{202e}drow\u{202c}".to_owned(),
        "seen-\u{200b}\u{feff}\u{e0041}".to_owned(),
        format!("long-{}", "x".repeat(250)),
        "quote-'\"\\ $(touch x); --; %s {}".to_owned(),
    ]
}

/// What a terminal would obey or not show.
fn is_safe(text: &str) -> bool {
    let harmful = |letter: char| {
        (letter.is_control() && letter != '\n')
            || ('\u{200b}'..='\u{200f}').contains(&letter)
            || ('\u{2028}'..='\u{202e}').contains(&letter)
            || ('\u{2060}'..='\u{206f}').contains(&letter)
            || ('\u{e0000}'..='\u{e0fff}').contains(&letter)
            || letter == '\u{feff}'
    };
    !text.contains(harmful)
}

#[test]
fn hostile_names_are_shown_safely_everywhere_and_are_whole_in_json() {
    let database = Database::new("cli_hostile");
    for name in names() {
        let payload = "{\"text\": \"a\\u001b[2Jb\u{202e}\u{9b}\"}";
        let ran = database.run(&["append", &name, &name, "--payload", payload]);
        assert!(is_safe(&ran.ok()));
        let ran = database.run(&["subscriptions", "create", &name]);
        assert!(is_safe(&ran.ok()));
    }
    for arguments in [
        &["streams"][..],
        &["tail", "-n", "100"],
        &["search"],
        &["subscriptions"],
        &["event", "1"],
        &["event", "2"],
    ] {
        let out = database.ok(arguments);
        assert!(is_safe(&out), "{arguments:?}: {out:?}");
    }
    for name in names() {
        for arguments in [
            &["stream", "show", &name][..],
            &["stream", "events", &name],
            &["subscriptions", "show", &name],
        ] {
            let out = database.ok(arguments);
            assert!(is_safe(&out), "{arguments:?}: {out:?}");
        }
        let json = database.json(&["streams", &name]);
        assert_eq!(json[0]["stream_id"], Value::String(name.clone()));
        let conflict = database.run(&["append", &name, "T", "--expect", "7"]);
        assert!(conflict.code == 5 && is_safe(&conflict.err), "{conflict:?}");
    }
}

#[test]
fn hostile_arguments_are_refused_and_told_safely() {
    let database = Database::new("cli_hostile_arguments");
    for name in ["\u{1b}[2J", "a\nb", "", "\u{7f}"] {
        let ran = database.run(&["append", name, "T"]);
        assert!(ran.code == 1 && is_safe(&ran.err), "{ran:?}");
        let ran = database.run(&["stream", "show", name]);
        assert!(ran.code == 4 && is_safe(&ran.err), "{ran:?}");
    }
    let long = "x".repeat(256);
    assert_eq!(database.run(&["append", &long, "T"]).code, 1);
}

#[test]
fn a_row_stays_on_one_line_and_nothing_is_cut_in_a_pipe() {
    let database = Database::new("cli_lines_of_rows");
    let long = format!("{{\"text\": \"{}\"}}", "word ".repeat(400));
    database.ok(&["append", "a", "T", "--payload", &long]);
    for arguments in [&["tail"][..], &["search"], &["stream", "events", "a"]] {
        let out = database.ok(arguments);
        let whole = out.lines().filter(|line| line.contains(&long)).count();
        assert_eq!(whole, 1, "{arguments:?}: {out}");
    }
}

#[test]
fn another_schema_and_a_hostile_search_path_change_nothing() {
    let database = Database::new("cli_schema");
    database.sql(
        "CREATE SCHEMA evil; CREATE SCHEMA \"my functions\";
         CREATE FUNCTION evil.eventcore_safe_position() RETURNS bigint LANGUAGE sql AS 'SELECT 666::bigint';
         CREATE FUNCTION evil.starts_with(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
         CREATE VIEW evil.pg_extension AS SELECT 'evil'::text AS extname;
         DROP EXTENSION eventcore; CREATE EXTENSION eventcore SCHEMA \"my functions\";
         ALTER DATABASE cli_schema SET search_path = evil, pg_catalog",
    );
    database.ok(&["append", "a", "T"]);
    let streams = database.json(&["streams", "a"]);
    assert_eq!(streams[0]["stream_id"], "a");
    assert_eq!(database.json(&["stats"])["safe_position"], 1);
    let shown = Ran::of(database.command(&["tail"]).output().unwrap()).ok();
    assert_eq!(shown.lines().count(), 1);
}
