//! The pages for contributors name files and folders in code, by their paths from the root or from
//! the folder of the page. Each of them exists.

use crate::files;
use crate::markdown::{code, prose};

const PAGES: [&str; 10] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
    "docs/STYLE.md",
    "docs/glossary.md",
    "docs/promises.md",
    "sql/README.md",
    "tests/README.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
];

const ENDINGS: [&str; 12] = [
    ".rs", ".md", ".sql", ".toml", ".txt", ".json", ".yml", ".control", ".c", ".sh", ".py", ".lock",
];

/// What the pages name without a folder, or say is not there, or is there after a build.
const NO_PATHS: [&str; 3] = ["lib.rs", "rust-toolchain.toml", "target/"];

#[test]
fn every_path_that_the_pages_for_contributors_name_exists() {
    let mut missing = Vec::new();
    let mut count = 0;
    for page in PAGES {
        let text = files::read(page);
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, text) in prose(&text) {
            for path in code(text).filter(|code| is_path(code)) {
                count += 1;
                let path = path.trim_end_matches('/');
                let here = format!("{folder}/{path}");
                if !files::exists(path) && !files::exists(&here) {
                    missing.push(format!("{page}:{line}: {path}"));
                }
            }
        }
    }
    assert!(count > 100, "only {count} paths were found");
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

/// Whether a piece of code is the path of a file or a folder, and no placeholder for one.
fn is_path(code: &str) -> bool {
    let plain = code
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let is_absolute = code.starts_with('/') || code.starts_with("..");
    let named = ENDINGS
        .iter()
        .any(|ending| code.ends_with(ending) && code.len() > ending.len());
    plain
        && !is_absolute
        && !code.contains("--")
        && !NO_PATHS.contains(&code)
        && (code.contains('/') || named)
}
