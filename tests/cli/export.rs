//! `export` and `import`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::Database;

/// A file of a test, removed in the end.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str) -> Self {
        Self::with_extension(name, "ndjson")
    }

    fn with_extension(name: &str, extension: &str) -> Self {
        let process = std::process::id();
        let file = std::env::temp_dir().join(format!("eventcore-{name}-{process}.{extension}"));
        let _ = std::fs::remove_file(&file);
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// What is in a compressed file.
    fn decompressed(&self) -> String {
        let file = std::fs::File::open(&self.0).unwrap();
        String::from_utf8(zstd::decode_all(file).unwrap()).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn shop(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['order-1','stock-x'], ARRAY[0,0]::bigint[],
            '[{\"stream\":\"order-1\",\"type\":\"Placed\",\"payload\":{\"cents\":12345678901234567890.10, \"t\": \"a\\nb \\u2028 \\\"q\\\"\"}},
              {\"stream\":\"stock-x\",\"type\":\"Reserved\",\"payload\":[],\"metadata\":{\"by\":\"ada\"}}]',
            '11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222');
         SELECT eventcore_append(ARRAY['order-1'], ARRAY[1]::bigint[], '[{\"stream\":\"order-1\",\"type\":\"Paid\",\"payload\":\"x\"}]');
         SELECT eventcore_append(ARRAY['order-' || n], ARRAY[NULL]::bigint[], '[]') FROM generate_series(1, 1) n;
         INSERT INTO eventcore.streams (stream_id, state, reason) VALUES ('order-1', 'closed', 'done')",
    );
    database
}

const CONTENTS: &str = "SELECT jsonb_agg(to_jsonb(e) ORDER BY e.position) FROM eventcore.events e";
/// Without what an append gives again.
const MEANING: &str = "SELECT jsonb_agg(to_jsonb(e) - 'position' - 'recorded_at' ORDER BY e.position) FROM eventcore.events e";

#[test]
fn a_restored_store_is_the_one_that_was_exported() {
    let (from, file) = (shop("cli_export"), TestFile::new("restore"));
    let ran = from.run(&["export", file.path()]);
    assert!(
        ran.err.contains("exported 3 events up to position 3"),
        "{ran:?}"
    );
    let text = file.text();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["eventcore_export"], &lines[0]["safe_position"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[4],
        json!({"stream_id": "order-1", "state": "closed", "reason": "done"})
    );
    assert!(text.contains("12345678901234567890.10"));
    assert_eq!(from.ok(&["export", "-q"]), text);

    let into = Database::new("cli_restore");
    let checked = into.json(&["import", file.path(), "--check"]);
    assert_eq!(
        (
            &checked["events"],
            &checked["streams"],
            &checked["closed_streams"]
        ),
        (&json!(3), &json!(2), &json!(1))
    );
    assert_eq!(into.json(&["stats"])["last_position"], 0);
    into.ok(&["import", file.path(), "--restore"]);
    assert_eq!(into.sql(CONTENTS), from.sql(CONTENTS));
    assert_eq!(into.json(&["stream", "show", "order-1"])["state"], "closed");
    // Once more: it is all there.
    let again = into.json(&["import", file.path(), "--restore"]);
    assert_eq!(again["repeated"], 3);
    assert_eq!(into.sql(CONTENTS), from.sql(CONTENTS));
    // New positions come after the restored ones.
    into.ok(&["append", "new", "T"]);
    assert!(
        into.json(&["stream", "show", "new"])["last_position"]
            .as_i64()
            .unwrap()
            > 3
    );
    let other = into.run(&["import", file.path(), "--restore"]);
    assert_eq!(other.code, 2, "{other:?}");
}

#[test]
fn an_append_of_an_export_can_be_killed_and_run_again() {
    let (from, file) = (shop("cli_export_append"), TestFile::new("append"));
    from.ok(&["export", file.path()]);
    let into = Database::new("cli_append_again");
    into.ok(&["append", "other", "T"]);
    // As a run that was killed after its first append.
    let lines = file.text();
    let part = TestFile::new("part");
    std::fs::write(
        &part.0,
        lines
            .lines()
            .take(3)
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    )
    .unwrap();
    into.ok(&["import", part.path(), "--append"]);
    let all = into.json(&["import", file.path(), "--append"]);
    assert_eq!((&all["events"], &all["repeated"]), (&json!(3), &json!(2)));
    into.ok(&["import", file.path(), "--append"]);
    let appended = into.sql("SELECT jsonb_agg(to_jsonb(e) - 'position' - 'recorded_at' ORDER BY e.position) FROM eventcore.events e WHERE e.stream_id <> 'other'");
    assert_eq!(appended, from.sql(MEANING));

    // A stream that has gone on elsewhere is a conflict.
    let moved = Database::new("cli_append_moved");
    moved.ok(&["append", "order-1", "T"]);
    let ran = moved.run(&["import", file.path(), "--append"]);
    assert_eq!(ran.code, 5, "{ran:?}");
}

/// 30,000 events in 300,000 positions.
fn in_windows(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         SELECT n * 10, n, now(), gen_random_uuid(), 's', 'T', to_jsonb(n) FROM generate_series(1, 30000) n",
    );
    database
}

#[test]
fn a_compressed_export_is_the_same_export() {
    let (from, file) = (
        shop("cli_export_zst"),
        TestFile::with_extension("restore", "ndjson.zst"),
    );
    from.ok(&["export", file.path()]);
    assert_eq!(file.decompressed(), from.ok(&["export", "-q"]));
    // What it is, is seen in the file, and not in its name.
    let renamed = TestFile::new("renamed");
    std::fs::copy(&file.0, &renamed.0).unwrap();
    let into = Database::new("cli_restore_zst");
    for file in [&file, &renamed] {
        assert_eq!(into.json(&["import", file.path(), "--check"])["events"], 3);
    }
    into.ok(&["import", file.path(), "--restore"]);
    assert_eq!(into.sql(CONTENTS), from.sql(CONTENTS));

    let whole = std::fs::read(&file.0).unwrap();
    for length in [whole.len() - 1, whole.len() / 2, 5] {
        std::fs::write(&file.0, &whole[..length]).unwrap();
        let ran = into.run(&["import", file.path(), "--check"]);
        assert_eq!(ran.code, 2, "cut at {length}: {ran:?}");
    }
}

#[test]
fn a_compressed_export_goes_on_where_it_was_interrupted() {
    let database = in_windows("cli_resume_zst");
    let file = TestFile::with_extension("resume", "ndjson.zst");
    database.ok(&["export", file.path()]);
    let (whole, text) = (std::fs::read(&file.0).unwrap(), file.decompressed());
    assert_eq!(text.lines().count(), 30_001);
    assert!(whole.len() < text.len() / 2, "{} bytes", whole.len());
    let mut went_on = 0;
    for tenths in 1..=10 {
        std::fs::write(&file.0, &whole[..whole.len() * tenths / 10]).unwrap();
        let ran = database.run(&["export", file.path(), "--resume"]);
        assert!(file.decompressed() == text, "cut at {tenths}/10: {ran:?}");
        went_on += usize::from(!ran.err.contains("exported 30000"));
    }
    assert!(went_on > 5, "{went_on}");
    // Not even the header is whole; and what is no compressed export at all.
    for bytes in [&whole[..5], b"{}\n".as_slice(), &[]] {
        std::fs::write(&file.0, bytes).unwrap();
        let ran = database.run(&["export", file.path(), "--resume"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert_eq!(std::fs::read(&file.0).unwrap(), bytes);
    }
}

#[test]
fn an_export_goes_on_where_it_was_interrupted() {
    let database = in_windows("cli_resume");
    let file = TestFile::new("resume");
    database.ok(&["export", file.path()]);
    let whole = file.text();
    assert_eq!(whole.lines().count(), 30_001);
    // In the middle of a line, after the header, and after nothing is missing.
    let middle = whole.len() / 2;
    let header = whole.find('\n').unwrap() + 1;
    for length in [middle, middle + 1, header, header + 5, whole.len()] {
        std::fs::write(&file.0, &whole[..length]).unwrap();
        database.ok(&["export", file.path(), "--resume"]);
        assert!(file.text() == whole, "cut at {length}");
    }
    let exists = database.run(&["export", file.path()]);
    assert_eq!(exists.code, 2, "{exists:?}");
    let other = shop("cli_resume_other");
    let ran = other.run(&["export", file.path(), "--resume"]);
    assert!(ran.code == 2 && ran.err.contains("cli_resume"), "{ran:?}");
    let part = database.ok(&["export", "-q", "--after", "299990"]);
    assert_eq!(part.lines().count(), 2);
    let none = database.ok(&["export", "-q", "--prefix", "none"]);
    assert_eq!(none.lines().count(), 1);
}

#[test]
fn an_export_goes_on_after_a_cut_within_a_character() {
    let database = Database::new("cli_resume_character");
    database.sql(
        "SELECT eventcore_append('{große}', '{NULL}', '[{\"stream\":\"große\",\"type\":\"T\",\"payload\":\"é🦀\"}]')
           FROM generate_series(1, 3)",
    );
    let file = TestFile::new("character");
    database.ok(&["export", file.path()]);
    let whole = file.text();
    let (crab, eszett) = (whole.rfind('🦀').unwrap(), whole.find('ß').unwrap());
    for length in [crab + 1, crab + 2, crab + 3, eszett + 1] {
        std::fs::write(&file.0, &whole.as_bytes()[..length]).unwrap();
        database.ok(&["export", file.path(), "--resume"]);
        assert_eq!(file.text(), whole, "cut at {length}");
    }
    // A whole line that is no text is damage, and no cut.
    let mut damaged = whole.clone().into_bytes();
    damaged[eszett + 1] = b'x';
    std::fs::write(&file.0, &damaged).unwrap();
    let ran = database.run(&["export", file.path(), "--resume"]);
    assert!(ran.code == 2 && ran.err.contains("line 2"), "{ran:?}");
    assert_eq!(std::fs::read(&file.0).unwrap(), damaged);
}

/// 2,500 events in 500 streams; two of three appends have a correlation of their own.
fn correlated(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['s-' || n % 500], '{NULL}',
                    jsonb_build_array(jsonb_build_object('stream', 's-' || n % 500, 'type', 'T', 'payload', n)),
                    CASE WHEN n % 3 > 0 THEN gen_random_uuid() END, CASE WHEN n % 2 > 0 THEN gen_random_uuid() END)
           FROM generate_series(1, 2500) n",
    );
    database
}

/// How many appends there were: each has a time of its own.
const APPENDS: &str = "SELECT count(DISTINCT recorded_at) FROM eventcore.events";

#[test]
fn events_that_are_appended_again_keep_their_ids_a_thousand_in_one_append() {
    let (from, file) = (correlated("cli_origins"), TestFile::new("origins"));
    from.ok(&["export", file.path()]);
    let into = Database::new("cli_origins_into");
    into.ok(&["import", file.path(), "--append"]);
    assert_eq!(into.sql(MEANING), from.sql(MEANING));
    assert_eq!(into.sql(APPENDS), "3");
    let again = into.json(&["import", file.path(), "--append"]);
    assert_eq!(again["repeated"], 2500);
    assert_eq!(into.sql(MEANING), from.sql(MEANING));
}

/// The events of the file are one append, and some of them are there.
#[test]
fn a_file_that_has_grown_is_appended_from_where_it_had_ended() {
    let (from, file) = (correlated("cli_grown"), TestFile::new("grown"));
    from.ok(&["export", file.path()]);
    let whole = file.text();
    let into = Database::new("cli_grown_into");
    for events in [1, 777, 1001, 2500] {
        let part: String = whole.split_inclusive('\n').take(1 + events).collect();
        std::fs::write(&file.0, part).unwrap();
        let before = into.sql("SELECT count(*) FROM eventcore.events WHERE stream_id <> 'between'");
        let imported = into.json(&["import", file.path(), "--append"]);
        assert_eq!(imported["repeated"].to_string(), before);
        // Between two of them something else is appended.
        into.sql("SELECT eventcore_append('{between}', '{NULL}', '[{\"stream\":\"between\",\"type\":\"T\",\"payload\":1}]')");
    }
    let appended = into.sql("SELECT jsonb_agg(to_jsonb(e) - 'position' - 'recorded_at' ORDER BY e.position) FROM eventcore.events e WHERE e.stream_id <> 'between'");
    assert_eq!(appended, from.sql(MEANING));
}

#[test]
fn a_file_that_is_no_export_or_is_damaged_changes_nothing() {
    let (from, file) = (shop("cli_damaged"), TestFile::new("damaged"));
    let text = from.ok(&["export", "-q"]);
    let into = Database::new("cli_damaged_into");
    let lines: Vec<&str> = text.lines().collect();
    let damaged = [
        String::new(),
        "{}\n".to_owned(),
        text.replace("\"eventcore_export\":1", "\"eventcore_export\":2"),
        // A line is missing, is there twice, is cut.
        [lines[0], lines[3]]
            .join("\n")
            .replace("\"version\":2", "\"version\":3")
            + "\n"
            + lines[1],
        [lines[0], lines[1], lines[1]].join("\n"),
        text[..text.len() / 2].to_owned(),
    ];
    for damaged in damaged {
        std::fs::write(&file.0, &damaged).unwrap();
        for way in ["--restore", "--append", "--check"] {
            let ran = into.run(&["import", file.path(), way]);
            assert_eq!(ran.code, 2, "{way} {damaged}: {ran:?}");
        }
        assert_eq!(into.json(&["stats"])["last_position"], 0);
    }
}
