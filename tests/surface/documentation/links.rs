//! Every page of the book is in its summary, and every page that the code names exists.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::page::{Page, docs, repository};

/// The text without fenced blocks and code spans, which cannot contain links.
fn prose(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    let prose = lines.collect::<Vec<_>>().join("\n");
    let spans = prose.split('`').enumerate();
    spans
        .filter(|(index, _)| index % 2 == 0)
        .map(|(_, text)| text)
        .collect::<Vec<_>>()
        .join("")
}

/// What is between `](` and `)`, other than addresses of the web.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .filter(|target| !target.contains("://"))
        .collect()
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let listed: HashSet<String> = links(&summary).into_iter().collect();
    let pages = Page::below("").into_iter().map(|page| page.path);
    let missing: Vec<String> = pages
        .filter(|path| path != "SUMMARY.md" && !listed.contains(path))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Comments, hints and programs name pages by their paths.
#[test]
fn every_page_that_code_names_exists() {
    let mut wrong = Vec::new();
    let folders = [
        "benches",
        "client",
        "examples",
        "extension",
        "jsonb",
        "macros",
        "rules",
        "sql",
        "testing",
        "tests",
        "xtask",
    ];
    let mut files = Vec::new();
    for folder in folders {
        collect(&repository().join(folder), &mut files);
    }
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for rest in text.split("docs/").skip(1) {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || "/-_.".contains(c)));
            let name = &rest[..end.unwrap_or(rest.len())];
            if name.ends_with(".md") && !docs().join(name).exists() {
                wrong.push(format!("{}: docs/{name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        let text = ["rs", "sql", "toml", "yml", "cfg", "md", "py", "mjs", "sh"];
        if path.is_dir() && !["target", "node_modules", "fixtures"].contains(&name) {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|kind| text.iter().any(|text| kind == *text))
        {
            files.push(path);
        }
    }
}
