//! `eventcore_check`: each finding is provoked, and the statement that the finding suggests repairs
//! it.

mod rows;
mod tables;

use eventcore_harness::{Server, ServerOptions};

const CHECK: &str = "SELECT finding, object, statement FROM eventcore_check(true)";

struct Checked<'a> {
    server: &'a Server,
    database: &'a str,
}

impl Checked<'_> {
    fn psql(&self, sql: &str) -> String {
        self.server.psql(self.database, sql).unwrap()
    }

    /// Provokes a finding, then repairs it with the statement of the finding.
    #[track_caller]
    fn finds(&self, provocation: &str, finding: &str) {
        let provoked = self.server.psql(
            self.database,
            &format!("\\o /dev/null\n{provocation};\n\\o\n{CHECK}"),
        );
        let found = match provoked {
            Ok(found) => found,
            // If PostgreSQL refuses the change, there is nothing to find.
            Err(error) if error.to_string().contains("SE009") => return,
            Err(error) => panic!("{provocation}: {error}"),
        };
        let is_it = |line: &str| line.starts_with(&format!("{finding}|"));
        assert!(found.lines().any(is_it), "{provocation}: {found}");
        let statements = found.lines().filter_map(|line| line.rsplit('|').next());
        let repair = statements
            .map(|one| format!("{one};\n"))
            .collect::<String>();
        let left = self.psql(&format!("\\o /dev/null\n{repair}\\o\n{CHECK}"));
        assert_eq!(left, "", "after {provocation} and {repair}");
    }
}

#[test]
fn a_library_of_another_version_and_one_that_is_not_loaded_are_found() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    server.create_empty_database("check_library").unwrap();
    let psql = |server: &Server, sql: &str| server.psql("check_library", sql).unwrap();
    psql(&server, "CREATE EXTENSION eventcore");
    assert_eq!(psql(&server, CHECK), "");
    psql(
        &server,
        "SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'eventcore'",
    );
    assert_eq!(
        psql(&server, CHECK),
        "version|eventcore|ALTER EXTENSION eventcore UPDATE"
    );
    // No statement repairs a library that is too old.
    psql(
        &server,
        "SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = '900.0.0' WHERE extname = 'eventcore'",
    );
    assert_eq!(psql(&server, CHECK), "version|eventcore|");
    // A version that is not ours is no error.
    for theirs in ["next", "1.2.x", "99999999999999999999.0.0"] {
        psql(
            &server,
            &format!(
                "SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = '{theirs}' WHERE extname = 'eventcore'"
            ),
        );
        assert_eq!(
            psql(&server, CHECK),
            "version|eventcore|ALTER EXTENSION eventcore UPDATE"
        );
    }
    psql(
        &server,
        "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain'",
    );
    server.restart().unwrap();
    let found = psql(&server, CHECK);
    assert_eq!(
        found,
        "not_preloaded|shared_preload_libraries|ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'eventcore'"
    );
    psql(&server, found.rsplit('|').next().unwrap());
    server.restart().unwrap();
    assert!(psql(&server, CHECK).starts_with("version|"));
}
