//! The macros list every test of the contract.

use std::fs;
use std::path::Path;

#[test]
fn every_test_of_the_contract_is_run_by_exactly_one_macro() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
    let macros = fs::read_to_string(folder.join("macros.rs")).unwrap();
    let mut tests = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // Helpers are not tests.
        if path.ends_with("bank.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for line in source.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let name = rest.split(['<', '(']).next().unwrap();
            let listed = macros
                .lines()
                .filter(|line| line.trim() == format!("{name},"));
            assert_eq!(listed.count(), 1, "{name} in {}", path.display());
            tests += 1;
        }
    }
    assert!(tests > 100, "only {tests} were found");
}
