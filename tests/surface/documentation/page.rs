//! A page of the book, parsed into its blocks of code.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the book.
pub(super) fn docs() -> PathBuf {
    repository().join("docs")
}

/// The root of the repository.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// A page, by its path below `docs/`.
pub(super) struct Page {
    pub(super) path: String,
    pub(super) text: String,
}

/// A fenced block.
pub(super) struct Block {
    /// What follows the fence, such as `sql`.
    pub(super) language: String,
    pub(super) code: String,
    /// The line of its fence, counted from 1.
    pub(super) line: usize,
    /// Why it is not run: `<!-- not run: … -->` on the line before it.
    pub(super) not_run: Option<String>,
    /// The `text` block that follows it directly: what it prints.
    pub(super) output: Option<String>,
}

impl Page {
    /// Every Markdown page below a folder of the book, in order of path; `""` is the whole book.
    pub(super) fn below(folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        markdown(&docs().join(folder), &mut paths);
        paths.sort();
        paths.into_iter().map(|path| Self::read(&path)).collect()
    }

    fn read(path: &Path) -> Self {
        let name = path.strip_prefix(docs()).unwrap();
        Self {
            path: name.to_str().unwrap().to_owned(),
            text: fs::read_to_string(path).unwrap(),
        }
    }

    /// Its blocks. An output belongs to the block before it.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut not_run = None;
        let mut directly_after_a_block = false;
        let mut lines = self.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let indent = line.len() - line.trim_start().len();
            if let Some(language) = line.trim_start().strip_prefix("```") {
                let code: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| line.trim_start() != "```")
                    .map(|line| line.get(indent..).unwrap_or_default())
                    .collect();
                let code = code.join("\n");
                if language == "text" && directly_after_a_block {
                    blocks.last_mut().unwrap().output = Some(code);
                    directly_after_a_block = false;
                } else {
                    blocks.push(Block {
                        language: language.to_owned(),
                        code,
                        line: number + 1,
                        not_run: not_run.take(),
                        output: None,
                    });
                    directly_after_a_block = language != "text";
                }
            } else if let Some(reason) = line.trim().strip_prefix("<!-- not run: ") {
                not_run = reason.strip_suffix(" -->").map(ToOwned::to_owned);
                directly_after_a_block = false;
            } else if !line.trim().is_empty() {
                directly_after_a_block = false;
            }
        }
        blocks
    }
}

fn markdown(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

/// How a text differs from what a page shows, if it does. Runs of blanks and dashes count as one,
/// because column widths depend on the values. Empty lines and psql's row counts are ignored. `…`
/// stands for any characters of a line; on a line of its own, for any lines.
pub(super) fn difference(shown: &str, actual: &str) -> Option<String> {
    let (shown_lines, actual_lines) = (compared(shown), compared(actual));
    let same = lines_match(&shown_lines, &actual_lines);
    (!same).then(|| format!("shown:\n{shown}\n\nactual:\n{actual}"))
}

fn compared(text: &str) -> Vec<String> {
    let lines = text.lines().map(normal);
    lines
        .filter(|line| !line.is_empty() && !is_row_count(line))
        .collect()
}

/// `(3 rows)`
fn is_row_count(line: &str) -> bool {
    let inner = line
        .strip_prefix('(')
        .and_then(|line| line.strip_suffix(')'));
    inner.is_some_and(|inner| {
        let count = inner.trim_end_matches('s').strip_suffix(" row");
        count.is_some_and(|count| count.parse::<u64>().is_ok())
    })
}

fn normal(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut line = words.join(" ");
    while line.contains("--") {
        line = line.replace("--", "-");
    }
    line
}

fn lines_match(shown: &[String], actual: &[String]) -> bool {
    match shown {
        [] => actual.is_empty(),
        [first, rest @ ..] if first == "…" => {
            (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..]))
        }
        [first, rest @ ..] => actual
            .split_first()
            .is_some_and(|(line, more)| line_matches(first, line) && lines_match(rest, more)),
    }
}

fn line_matches(shown: &str, actual: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = actual.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    if !shown.contains('…') {
        return rest.is_empty();
    }
    let parts: Vec<&str> = parts.collect();
    let (last, middle) = parts.split_last().unwrap();
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn a_block_has_the_reason_before_it_and_the_output_after_it() {
    let text = "a\n\n```sql\nSELECT 1\n```\n\n```text\n1\n```\n\n<!-- not run: no server -->\n```sh\nls\n```\nb\n```text\nno output\n```\n";
    let page = Page {
        path: "page.md".into(),
        text: text.into(),
    };
    let blocks = page.blocks();
    assert_eq!(blocks.len(), 3);
    assert_eq!(
        (blocks[0].code.as_str(), blocks[0].line, &blocks[0].output),
        ("SELECT 1", 3, &Some("1".to_owned()))
    );
    assert_eq!(blocks[1].not_run.as_deref(), Some("no server"));
    assert_eq!((&blocks[2].not_run, &blocks[2].output), (&None, &None));
}

#[test]
fn an_output_is_compared_by_words_and_an_ellipsis_stands_for_anything() {
    assert!(difference(" a  | b\n----+---\n 1 | … ", "a|b").is_some());
    assert!(difference(" a | b\n---+---\n 1 | …", " a | b\n---+-----\n 1  | 2026").is_none());
    assert!(difference("a\n…\nd", "a\nb\nc\nd\n\n").is_none());
    assert!(difference("a … c", "a b d").is_some());
}
