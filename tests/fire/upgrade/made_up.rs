//! Made-up versions before and after the present one, beside those that were released: their install
//! scripts and the update scripts between them.
//!
//! They are made from the present install script, so that no second library is needed: the present
//! library is the new one for databases of [`OLD`] and [`SERVED`], and the old one for those of
//! [`NEXT`] and [`UNGUARDED`].

use eventcore_harness::WithScripts;

/// Lacks a column of `eventcore.events`, which the library reads. So the library refuses it.
pub(super) const OLD: &str = "0.0.1";
/// Lacks a table, functions, and a column of another table. The library serves it.
pub(super) const SERVED: &str = "0.0.2";
/// The present version.
pub(super) const PRESENT: &str = env!("CARGO_PKG_VERSION");
/// Has one more column, function and table.
pub(super) const NEXT: &str = "900.0.0";
/// The same, but its update script does not ask for the library: what a library of old files meets.
pub(super) const UNGUARDED: &str = "900.0.1";
/// In the middle of the update from [`SERVED`]: a lock that a test may hold.
pub(super) const PAUSE: &str = "SELECT pg_catalog.pg_advisory_xact_lock(42)";

const BEGIN: &str =
    "SET LOCAL search_path = pg_catalog, pg_temp;\nSELECT eventcore.require_library();\n";

/// The column that [`OLD`] lacks, and that which [`SERVED`] lacks too.
const CAUSATION: Column = Column {
    table: "eventcore.events",
    name: "causation_id",
    definition: "    causation_id    uuid,\n",
};
const REASON: Column = Column {
    table: "eventcore.streams",
    name: "reason",
    definition: "    reason      text,\n",
};

struct Column {
    table: &'static str,
    name: &'static str,
    definition: &'static str,
}

impl Column {
    /// Takes the column out of an install script.
    fn remove(&self, script: &str) -> String {
        let create = format!("CREATE TABLE {} (", self.table);
        let (before, after) = script.split_once(&create).expect(self.table);
        let after = after.replacen(self.definition, "", 1);
        let comment = self.comment(script);
        format!("{before}{create}{after}").replace(&comment, "")
    }

    /// Adds it as an update script does.
    fn add(&self, script: &str) -> String {
        let definition = self.definition.trim().trim_end_matches(',');
        let comment = self.comment(script);
        format!(
            "ALTER TABLE {} ADD COLUMN {definition};\n{comment}",
            self.table
        )
    }

    fn comment(&self, script: &str) -> String {
        let begin = format!("COMMENT ON COLUMN {}.{} IS", self.table, self.name);
        statement(script, &begin)
    }
}

/// The statement that begins so.
fn statement(script: &str, begin: &str) -> String {
    let at = script.find(&format!("\n{begin}")).expect(begin) + 1;
    let end = script[at..].find(";\n").expect(begin) + at + 2;
    script[at..end].to_owned()
}

/// Writes all scripts.
pub(super) fn write(folder: &WithScripts) {
    let add = |name: String, text: String| folder.add(&name, &text).unwrap();
    let present = folder.read(&format!("eventcore--{PRESENT}.sql")).unwrap();

    let served = REASON.remove(&present) + DROP_PARTS;
    let old = CAUSATION.remove(&served);
    add(format!("eventcore--{OLD}.sql"), old);
    add(format!("eventcore--{SERVED}.sql"), served);
    add(
        format!("eventcore--{OLD}--{SERVED}.sql"),
        format!("{BEGIN}{}", CAUSATION.add(&present)),
    );
    add(
        format!("eventcore--{SERVED}--{PRESENT}.sql"),
        format!(
            "{BEGIN}{}{PAUSE};\n{}",
            REASON.add(&present),
            add_parts(&present)
        ),
    );

    add(format!("eventcore--{NEXT}.sql"), format!("{present}{MORE}"));
    add(
        format!("eventcore--{PRESENT}--{NEXT}.sql"),
        format!("{BEGIN}{MORE}"),
    );
    add(
        format!("eventcore--{PRESENT}--{UNGUARDED}.sql"),
        format!("SET LOCAL search_path = pg_catalog, pg_temp;\n{MORE}"),
    );
}

const DROP_PARTS: &str = "
DROP FUNCTION @extschema@.eventcore_version(), @extschema@.eventcore_load_snapshot(text, text[]),
    @extschema@.eventcore_save_snapshot(text, text[], bigint[], jsonb), eventcore.streams_digest(text[]);
DROP TABLE eventcore.snapshots;
";

/// Makes what [`DROP_PARTS`] drops, as an update script does: with its own REVOKE for each function,
/// and the grants of the roles.
fn add_parts(present: &str) -> String {
    let part = |file: &str| {
        let begin = format!("\n-- sql/{file}\n");
        let (_, rest) = present.split_once(&begin).expect(file);
        rest.split("\n-- sql/").next().unwrap().to_owned()
    };
    let library = part("support/library.sql");
    let version = library
        .find("CREATE FUNCTION @extschema@.eventcore_version")
        .unwrap();
    let mut script = part("client_state/snapshots.sql") + &library[version..];
    for function in [
        "@extschema@.eventcore_version()",
        "@extschema@.eventcore_load_snapshot(text, text[])",
        "@extschema@.eventcore_save_snapshot(text, text[], bigint[], jsonb)",
        "eventcore.streams_digest(text[])",
    ] {
        script.push_str(&format!("REVOKE ALL ON FUNCTION {function} FROM PUBLIC;\n"));
    }
    let roles = part("roles.sql");
    let names = ["snapshot", "streams_digest", "eventcore_version"];
    for grant in roles.split("\nGRANT ").skip(1) {
        let grant = grant.split(";\n").next().unwrap();
        if names.iter().any(|name| grant.contains(name)) {
            script.push_str(&format!("GRANT {grant};\n"));
        }
    }
    script
}

const MORE: &str = "
ALTER TABLE eventcore.events ADD COLUMN made_up text;
COMMENT ON COLUMN eventcore.events.made_up IS 'One more column.';
CREATE TABLE eventcore.made_up (made_up text NOT NULL);
COMMENT ON TABLE eventcore.made_up IS 'One more table.';
SELECT pg_catalog.pg_extension_config_dump('eventcore.made_up', '');
CREATE FUNCTION eventcore.made_up() RETURNS text LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'eventcore_library_version';
COMMENT ON FUNCTION eventcore.made_up() IS 'One more function.';
REVOKE ALL ON FUNCTION eventcore.made_up() FROM PUBLIC;
GRANT SELECT ON eventcore.made_up TO eventcore_reader;
";
