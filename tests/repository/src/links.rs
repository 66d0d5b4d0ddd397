//! Every relative link in a Markdown file leads to a file, and to a heading of it.

use crate::files::{self, File};
use crate::markdown::{anchors, links, prose};

/// Pages whose links rustdoc resolves, and checks in the part `doc`.
const OF_RUSTDOC: [&str; 1] = ["client/src/guide.md"];

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let pages = files::below("", &[".md"]);
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages
        .iter()
        .filter(|page| !OF_RUSTDOC.contains(&page.path.as_str()))
    {
        for (line, text) in prose(&page.text) {
            for link in links(text) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                count += 1;
                if let Err(reason) = follow(page, &link) {
                    broken.push(format!("{}:{line}: ({link}): {reason}", page.path));
                }
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn follow(page: &File, link: &str) -> Result<(), String> {
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (link, None),
    };
    let target = match path {
        "" => page.path.clone(),
        _ => join(page.folder(), path).ok_or("it leaves the repository")?,
    };
    if !files::exists(&target) {
        return Err(format!("there is no {target}"));
    }
    match anchor {
        Some(anchor) if target.ends_with(".md") => {
            let known = anchors(&files::read(&target));
            let found = known.iter().any(|known| known == anchor);
            found.then_some(()).ok_or_else(|| {
                format!(
                    "{target} has no heading #{anchor}, but {}",
                    known.join(", ")
                )
            })
        }
        _ => Ok(()),
    }
}

/// A path from the root, from one that is relative to a folder; `None` if it leads out of the root.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
