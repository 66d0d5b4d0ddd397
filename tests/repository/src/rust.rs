//! The little of Rust that the checks need: code without comments, texts and unit tests, and the
//! paths in it.

/// Code without comments, without the contents of texts, and without modules of tests.
pub(crate) fn code(text: &str) -> String {
    without_tests(&plain(text))
}

/// Blanks out comments and the contents of texts.
fn plain(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            ('r', '"' | '#') if !is_word(at(i.wrapping_sub(1))) || "bc".contains(at(i - 1)) => {
                let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
                if at(i + 1 + hashes) != '"' {
                    // A raw identifier.
                    out.push('r');
                    i += 1;
                    continue;
                }
                i += hashes + 2;
                while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                    i += 1;
                }
                i += hashes + 1;
                out.push_str("\"\"");
            }
            ('"', _) => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
                out.push_str("\"\"");
            }
            // A character, not a lifetime.
            ('\'', '\\') => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            (c, _) => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Leaves out `#[cfg(test)] mod … { … }`.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let item = after["#[cfg(test)]".len()..].trim_start();
        let open = item.find('{');
        let is_module = item.starts_with("mod ") && open < item.find(';').or(Some(usize::MAX));
        rest = match open {
            Some(open) if is_module => &item[open + balanced(&item[open..])..],
            _ => item,
        };
    }
    out + rest
}

/// The length in bytes of the text that begins with a bracket, up to the closing one.
fn balanced(text: &str) -> usize {
    let mut depth = 0;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    text.len()
}

/// The first names after each `prefix::`, also of a list in braces.
pub(crate) fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mark = format!("{prefix}::");
    let mut from = 0;
    while let Some(at) = code[from..].find(&mark).map(|at| at + from) {
        from = at + mark.len();
        let before = code[..at].chars().next_back().unwrap_or(' ');
        if is_word(before) || before == '$' || before == ':' {
            continue;
        }
        let rest = &code[from..];
        if rest.starts_with('{') {
            found.extend(first_names(&rest[1..balanced(rest) - 1]));
        } else {
            found.push(name(rest));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The first name of each element of a list, those of nested lists left out.
fn first_names(list: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (index, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(name(list[start..index].trim_start()));
                start = index + 1;
            }
            _ => {}
        }
    }
    found.push(name(list[start..].trim_start()));
    found
}

fn name(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    &text[..end]
}

#[test]
fn code_has_no_comments_no_texts_and_no_tests() {
    let text = r##"
        use crate::{a::{b, c}, d}; // crate::no
        /* crate::no */ const E: &str = "crate::no \" crate::no"; const F: char = '"';
        fn g<'a>(h: &'a str) { crate::i::j(r#"crate::no"#); $crate::no() }
        #[cfg(test)]
        mod tests { use crate::no; mod inner { use crate::no; } }
        use crate::k::l as m;
    "##;
    assert_eq!(names_after(&code(text), "crate"), ["a", "d", "i", "k"]);
}
