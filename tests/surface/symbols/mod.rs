//! The library loads in every minor release of its major: it uses nothing that a later minor
//! release has added.

use std::path::PathBuf;
use std::process::Command;

use eventcore_harness::Binaries;

/// The functions and variables that minor releases have added to each major, from its first (for
/// 16, 16.1) to 15.19, 16.15, 17.11 and 18.6: what `nm -D --defined-only postgres` prints for the
/// last and not for the first.
const ADDED: [(&str, &str); 4] = [
    ("PostgreSQL 15.", include_str!("15.txt")),
    ("PostgreSQL 16.", include_str!("16.txt")),
    ("PostgreSQL 17.", include_str!("17.txt")),
    ("PostgreSQL 18.", include_str!("18.txt")),
];

#[test]
fn the_library_needs_nothing_that_a_minor_release_has_added() {
    let pg_config = Binaries::from_env().unwrap().folder().join("pg_config");
    let ask = |what: &str| {
        let output = Command::new(&pg_config).arg(what).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let version = ask("--version");
    let added = ADDED.iter().find(|(major, _)| version.starts_with(major));
    let (_, added) = added.unwrap_or_else(|| panic!("there is no list for {version}"));
    let library = PathBuf::from(ask("--pkglibdir")).join("eventcore.so");
    let mut nm = Command::new("nm");
    nm.args(["-D", "--undefined-only"]).arg(&library);
    let output = nm.output().expect("nm, which comes with the linker");
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let needed = output
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    let needed: Vec<&str> = needed.collect();
    assert!(needed.contains(&"palloc"), "what does nm print? {output}");
    let late = needed
        .iter()
        .filter(|name| added.lines().any(|added| added == **name));
    assert_eq!(
        late.collect::<Vec<_>>(),
        [&""; 0],
        "an older {version} has none of these"
    );
}
