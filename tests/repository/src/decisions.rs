//! `docs/decisions`: one form, one index, and every cited number exists.

use crate::files::{self, File};
use crate::markdown::{heading, prose};

const FOLDER: &str = "docs/decisions";

/// The headings of a decision, in their order, and whether each has to be there.
const HEADINGS: [(&str, bool); 6] = [
    ("Status", true),
    ("Context", true),
    ("Measured", false),
    ("Decision", true),
    ("Consequences", false),
    ("Not chosen", false),
];

struct Decision {
    number: String,
    title: String,
    file: File,
}

fn decisions() -> Vec<Decision> {
    let files = files::below(FOLDER, &[".md"]).into_iter();
    let files = files.filter(|file| !file.path.ends_with("README.md"));
    files
        .map(|file| {
            let first = file.text.lines().next().unwrap_or_default();
            let title = first
                .strip_prefix("# ")
                .and_then(|title| title.split_once(": "));
            let (number, title) = title
                .unwrap_or_else(|| panic!("{}: the first line is no `# NNNN: Title`", file.path));
            Decision {
                number: number.to_owned(),
                title: title.to_owned(),
                file,
            }
        })
        .collect()
}

#[test]
fn every_decision_has_its_number_and_the_same_headings() {
    for (index, Decision { number, file, .. }) in decisions().iter().enumerate() {
        assert_eq!(*number, format!("{:04}", index + 1), "{}", file.path);
        let name = file.path.rsplit('/').next().unwrap();
        assert!(name.starts_with(&format!("{number}-")), "{}", file.path);
        let second_level = prose(&file.text).filter_map(|(_, line)| line.strip_prefix("## "));
        let found: Vec<&str> = second_level.collect();
        let in_form = HEADINGS.iter().filter(|(name, _)| found.contains(name));
        let in_form: Vec<&str> = in_form.map(|(name, _)| *name).collect();
        assert_eq!(found, in_form, "{}: headings", file.path);
        for (heading, needed) in HEADINGS {
            let is_there = found.contains(&heading);
            assert!(is_there || !needed, "{} lacks ## {heading}", file.path);
        }
        assert!(
            found.contains(&"Consequences") || found.contains(&"Not chosen"),
            "{} has neither consequences nor alternatives",
            file.path
        );
    }
}

#[test]
fn the_index_lists_every_decision_with_its_title_and_its_status() {
    let index = files::read(&format!("{FOLDER}/README.md"));
    let decisions = decisions();
    for Decision {
        number,
        title,
        file,
    } in &decisions
    {
        let name = file.path.rsplit('/').next().unwrap();
        let status = file.text.split("## Status\n\n").nth(1).unwrap_or_default();
        let status = status
            .split(['.', ',', '\n'])
            .next()
            .unwrap_or_default()
            .trim();
        let row = format!("| [{number}]({name}) | {title} | {status} |");
        assert!(
            index.contains(&row),
            "{FOLDER}/README.md needs the row\n{row}"
        );
    }
    let rows = index.lines().filter(|line| line.starts_with("| [")).count();
    assert_eq!(rows, decisions.len(), "rows of the index");
}

#[test]
fn every_decision_that_is_cited_exists() {
    let known: Vec<String> = decisions().into_iter().map(|one| one.number).collect();
    let mut unknown = Vec::new();
    for file in files::below("", &[".rs", ".md", ".sql"]) {
        if file.path.starts_with("tests/repository/") {
            continue;
        }
        for (line, text) in file.text.lines().enumerate() {
            for number in cited(text, file.path.starts_with(FOLDER)) {
                if !known.iter().any(|known| known == number) {
                    unknown.push(format!("{}:{}: {number}", file.path, line + 1));
                }
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "no such decision:\n{}\n",
        unknown.join("\n")
    );
}

/// The numbers of decisions in a line: after `decision` or `decisions/`, and in a decision any word
/// of four digits that begins with two zeros, outside links to elsewhere and headings.
fn cited(line: &str, in_a_decision: bool) -> Vec<&str> {
    let is_number = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let after = |mark: &str| -> Vec<&str> {
        let parts = line.split(mark).skip(1);
        parts
            .filter_map(|rest| rest.get(..4))
            .filter(|word| is_number(word))
            .collect()
    };
    let mut found = after("decision ");
    found.extend(after("decisions/"));
    if in_a_decision && heading(line).is_none() {
        let words = files::words(line).filter(|word| is_number(word) && word.starts_with("00"));
        found.extend(words);
    }
    found
}
