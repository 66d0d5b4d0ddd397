//! `docs/promises.md`: what is cited exists, and what is promised is tested.

use std::collections::BTreeMap;

use crate::files::{self, File};
use crate::markdown::{code, heading};

const PAGE: &str = "docs/promises.md";

/// Numbers of promises that no version keeps yet.
const LATER: [u32; 2] = [18, 19];

/// Where a promise may be proved.
const TESTS: [&str; 4] = ["tests/", "testing/", "client/tests/", "macros/"];

/// The paths that each promise names, by its number.
fn promises() -> BTreeMap<u32, Vec<String>> {
    let page = files::read(PAGE);
    let mut found = BTreeMap::new();
    let mut current = None;
    for line in page.lines() {
        if let Some(heading) = heading(line) {
            current = heading.split([' ', ':']).next().and_then(number);
            if let Some(number) = current {
                let before = found.insert(number, Vec::new());
                assert!(before.is_none(), "{PAGE}: P{number} appears twice");
            }
        } else if let Some(paths) = current.and_then(|number| found.get_mut(&number)) {
            let tests = code(line).filter(|code| TESTS.iter().any(|root| code.starts_with(root)));
            paths.extend(tests.map(str::to_owned));
        }
    }
    found
}

/// The number of a promise, from `P1`.
fn number(word: &str) -> Option<u32> {
    let digits = word.strip_prefix('P')?;
    let is_number = (1..=2).contains(&digits.len()) && !digits.starts_with('0');
    is_number.then(|| digits.parse().ok())?
}

fn cited(text: &str) -> impl Iterator<Item = u32> {
    files::words(text).filter_map(number)
}

#[test]
fn the_promises_are_numbered_from_one_and_each_names_tests_that_exist() {
    let promises = promises();
    assert!(
        promises.len() >= 18,
        "{PAGE} has {} promises",
        promises.len()
    );
    let numbers: Vec<u32> = promises.keys().copied().collect();
    let last = numbers.last().copied().unwrap_or_default();
    let expected: Vec<u32> = (1..=last).filter(|it| !LATER.contains(it)).collect();
    assert_eq!(numbers, expected);
    for (number, paths) in promises {
        assert!(!paths.is_empty(), "P{number} names no test");
        for path in paths {
            assert!(files::exists(&path), "P{number}: there is no {path}");
        }
    }
}

#[test]
fn every_promise_that_is_cited_exists() {
    let promises = promises();
    let endings = [".rs", ".md", ".sql", ".toml", ".c", ".py", ".mjs", ".sh"];
    let mut unknown = Vec::new();
    let mut count = 0;
    for file in files::below("", &endings) {
        // Its own examples.
        if file.path.starts_with("tests/repository/") {
            continue;
        }
        for (line, text) in file.text.lines().enumerate() {
            for number in cited(text) {
                count += 1;
                if !promises.contains_key(&number) {
                    unknown.push(format!("{}:{}: P{number}", file.path, line + 1));
                }
            }
        }
    }
    assert!(count > 50, "only {count} citations were found");
    assert!(
        unknown.is_empty(),
        "not in {PAGE}:\n{}\n",
        unknown.join("\n")
    );
}

/// A test file that says at its top which promises it is about is in the list of each of them.
#[test]
fn every_test_file_that_is_about_a_promise_is_named_there() {
    let promises = promises();
    let mut missing = Vec::new();
    for File { path, text } in files::below("tests", &[".rs"]) {
        if path.starts_with("tests/repository/") || path == "tests/surface/main.rs" {
            continue;
        }
        let header = text.lines().take_while(|line| line.starts_with("//!"));
        for number in header.flat_map(cited) {
            let named = promises.get(&number).into_iter().flatten();
            let is_there = |named: &String| {
                let folder = named.strip_suffix('/');
                let inside = folder.and_then(|folder| path.strip_prefix(folder));
                *named == path || inside.is_some_and(|rest| rest.starts_with('/'))
            };
            if !named.into_iter().any(is_there) {
                missing.push(format!("P{number}: {path}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not named in {PAGE}:\n{}\n",
        missing.join("\n")
    );
}
