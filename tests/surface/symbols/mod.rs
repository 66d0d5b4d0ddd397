//! The library loads in every minor release of its major: it needs nothing of the server that the first does not have.

use std::path::PathBuf;
use std::process::Command;

use eventcore_harness::Binaries;

/// What the library needs of PostgreSQL 15, each of which 15.0 has. Before a name is added here, it has to be looked for
/// in the first release: `nm -D --defined-only postgres` of 15.0, or `git grep -w NAME REL_15_0 -- src/include`.
const NEEDED: &str = include_str!("15.txt");

#[test]
fn the_library_needs_nothing_that_the_first_minor_release_does_not_have() {
    let pg_config = Binaries::from_env().unwrap().folder().join("pg_config");
    let ask = |what: &str| {
        let output = Command::new(&pg_config).arg(what).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    if !ask("--version").starts_with("PostgreSQL 15.") {
        println!("there is a list for PostgreSQL 15 only");
        return;
    }
    let library = PathBuf::from(ask("--pkglibdir")).join("eventcore.so");
    let output = Command::new("nm")
        .args(["-D", "--undefined-only"])
        .arg(&library)
        .output();
    let output = output.expect("nm, which comes with the linker");
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    // Those of the C library have a version, and weak ones (w) may be missing.
    let needed = output
        .lines()
        .filter_map(|line| line.trim().strip_prefix("U "));
    let needed = needed.map(str::trim).filter(|name| !name.contains('@'));
    let known: Vec<&str> = NEEDED.lines().collect();
    let unknown: Vec<&str> = needed.filter(|name| !known.contains(name)).collect();
    assert_eq!(
        unknown, [""; 0],
        "does PostgreSQL 15.0 have these? If so, add them to 15.txt"
    );
}
