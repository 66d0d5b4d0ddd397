//! Every C symbol that a script of any version names is exported by the library. New files replace
//! the library, while the functions of the version before are still declared.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use eventcore_harness::{Binaries, run};

use super::with_scripts;

#[test]
fn the_library_exports_every_symbol_that_a_script_names() {
    let binaries = Binaries::from_env().unwrap();
    let folder = run(binaries.command("pg_config").arg("--pkglibdir")).unwrap();
    let library = PathBuf::from(folder.trim()).join("eventcore.so");
    let exported = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library))
    .unwrap();
    let exported: BTreeSet<_> = exported
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let mut count = 0;
    for script in with_scripts().of_extension("eventcore").unwrap() {
        let text = with_scripts().read(&script).unwrap();
        for (_, rest) in text
            .match_indices("'MODULE_PATHNAME', '")
            .map(|(at, found)| {
                let rest = &text[at + found.len()..];
                (at, rest)
            })
        {
            let symbol = rest.split('\'').next().unwrap();
            count += 1;
            for name in [symbol.to_owned(), format!("pg_finfo_{symbol}")] {
                assert!(exported.contains(name.as_str()), "{script} names {name}");
            }
        }
    }
    assert!(count > 100, "only {count} symbols were found");
}
