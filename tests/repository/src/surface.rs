//! What `sql/` must not contain, what the documentation must not invent, and what a new error code
//! must not forget. `tests/surface` checks on a server that the documentation is complete.

use std::collections::BTreeSet;

use crate::files::{self, File};

/// The pages for users. Decisions are for contributors, and the table of privileges names
/// everything.
fn pages() -> Vec<File> {
    let pages = files::below("docs", &[".md"]).into_iter();
    pages
        .filter(|page| {
            !page.path.starts_with("docs/decisions/") && page.path != "docs/privileges.md"
        })
        .collect()
}

/// Words, including the dots in them.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    words.map(|word| word.trim_matches('.'))
}

/// The files of `sql` in the order in which they are installed.
fn installed_files() -> Vec<String> {
    let list = files::read("sql/order.txt");
    list.lines().map(|path| format!("sql/{path}")).collect()
}

#[test]
fn every_file_of_sql_is_installed_once() {
    let mut installed = installed_files();
    installed.sort();
    let files = files::below("sql", &[".sql"]).into_iter();
    let files = files.map(|file| file.path);
    let present = files.filter(|path| !path.starts_with("sql/releases/"));
    assert_eq!(installed, Vec::from_iter(present));
}

#[test]
fn nothing_is_security_definer() {
    for file in files::below("sql", &[".sql"]) {
        for (number, line) in file.text.lines().enumerate() {
            let statement = line.split("--").next().unwrap().to_uppercase();
            let words: Vec<&str> = files::words(&statement).collect();
            assert!(
                !words.windows(2).any(|pair| pair == ["SECURITY", "DEFINER"]),
                "{}:{}: a function has the rights of its caller",
                file.path,
                number + 1
            );
        }
    }
}

/// The install script has no user schema in its `search_path`, so it must name the schema.
#[test]
fn every_public_function_is_written_with_its_schema() {
    let mut count = 0;
    for file in files::below("sql", &[".sql"]) {
        for (number, line) in file.text.lines().enumerate() {
            let is_statement = ["CREATE ", "COMMENT ON ", "REVOKE ", "GRANT "]
                .iter()
                .any(|word| line.starts_with(word));
            let names = ["FUNCTION ", "PROCEDURE "]
                .iter()
                .filter_map(|kind| line.split(kind).nth(1));
            for name in names.filter(|_| is_statement) {
                count += usize::from(name.starts_with("@extschema@."));
                assert!(
                    !name.starts_with("eventcore_"),
                    "{}:{}: {name}",
                    file.path,
                    number + 1
                );
            }
        }
    }
    assert!(count > 80, "only {count} statements were found");
    let first = files::read(installed_files().first().unwrap());
    let statement = first
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with("--"));
    assert_eq!(
        statement,
        Some("SET LOCAL search_path = pg_catalog, pg_temp;")
    );
}

#[test]
fn every_function_that_the_documentation_names_exists() {
    let sql: String = files::below("sql", &[".sql"])
        .into_iter()
        .map(|file| file.text)
        .collect();
    let known: BTreeSet<&str> = names(&sql).collect();
    let mut unknown = Vec::new();
    for page in pages() {
        for (number, line) in page.text.lines().enumerate() {
            // A call, so that names of crates, roles and databases do not count.
            for (at, _) in line.match_indices("eventcore_") {
                let before = line[..at].chars().next_back();
                let name = names(&line[at..]).next().unwrap();
                let is_call = line[at + name.len()..].starts_with('(');
                let is_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
                if is_call && is_start && !known.contains(name) {
                    unknown.push(format!("{}:{}: {name}", page.path, number + 1));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "\n{}\n", unknown.join("\n"));
}

/// A function means the same whatever the `search_path` of its caller: it sets its own, or its names
/// are bound when it is created, or it has none.
#[test]
fn every_function_sets_its_search_path_or_binds_its_names() {
    let mut count = 0;
    for file in files::below("sql", &[".sql"]) {
        let statements = file.text.split("\nCREATE ").skip(1);
        let is_routine =
            |text: &&str| text.starts_with("FUNCTION ") || text.starts_with("PROCEDURE ");
        for statement in statements.filter(is_routine) {
            count += 1;
            let statement = statement.split("\nCOMMENT ON ").next().unwrap();
            let binds = ["LANGUAGE c", "SET search_path = ", "\nBEGIN ATOMIC"];
            assert!(
                binds.iter().any(|way| statement.contains(way)),
                "{}: {}",
                file.path,
                statement.lines().next().unwrap()
            );
        }
    }
    assert!(count > 100, "only {count} functions were found");
}
