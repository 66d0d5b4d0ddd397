//! The little of Markdown that the checks need.

/// The lines outside fenced code, each with its number from 1.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence = None;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return Some((number + 1, line)),
            _ => {}
        }
        None
    })
}

/// A line without its inline code.
pub(crate) fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The inline code of a line.
pub(crate) fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of the links in a line: `[text](target)` and `[label]: target`.
pub(crate) fn links(line: &str) -> Vec<String> {
    let plain = without_code(line);
    let mut found: Vec<String> = plain
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(str::to_owned)
        .collect();
    if plain.starts_with('[')
        && let Some((_, target)) = plain.split_once("]: ")
    {
        found.push(target.trim().to_owned());
    }
    found
}

/// The anchors of a page: its headings as GitHub makes anchors of them, and those it sets itself.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        if let Some(heading) = heading(line) {
            let anchor = anchor(heading);
            let same = |found: &Vec<String>, anchor: &String| found.contains(anchor);
            let mut numbered = anchor.clone();
            let mut number = 0;
            while same(&found, &numbered) {
                number += 1;
                numbered = format!("{anchor}-{number}");
            }
            found.push(numbered);
        }
        for attribute in ["id=\"", "name=\""] {
            let set = line.split(attribute).skip(1);
            found.extend(
                set.filter_map(|rest| rest.split('"').next())
                    .map(str::to_owned),
            );
        }
    }
    found
}

/// The text of a heading of any level.
pub(crate) fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6)
        .contains(&level)
        .then_some(text)?
        .strip_prefix(' ')
        .map(str::trim)
}

fn anchor(heading: &str) -> String {
    // Of a link in a heading only the text counts.
    let mut text = heading.to_owned();
    while let Some(middle) = text.find("](")
        && let Some(end) = text[middle..].find(')')
    {
        text.replace_range(middle..=middle + end, "");
    }
    let kept = text.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# `eventcore_poll`: a poll\n## Again\n```\n# no heading\n```\n## Again\n<a id=\"own\"></a>\n";
    assert_eq!(
        anchors(page),
        ["eventcore_poll-a-poll", "again", "again-1", "own"]
    );
    assert_eq!(
        links("See [a](b.md#c), `[no](link)` and [d](e \"title\")."),
        ["b.md#c", "e"]
    );
}
