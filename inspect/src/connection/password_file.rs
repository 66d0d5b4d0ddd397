//! The password file of libpq, `~/.pgpass`.

use std::path::Path;

use super::ConnectionError;

/// What a line of the file has to match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: &'a str,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The text of the file; or why it is not used, if it exists.
pub(super) fn read(file: &Path) -> Result<Result<String, String>, ConnectionError> {
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ok(String::new())),
        Err(error) => return Err(ConnectionError::File(file.to_owned(), error)),
    };
    if !metadata.is_file() {
        let reason = format!("the password file {} is not a plain file", file.display());
        return Ok(Err(reason));
    }
    if is_open_to_others(&metadata) {
        let reason = format!(
            "the password file {} is not used: others may read it, so make its mode 0600",
            file.display()
        );
        return Ok(Err(reason));
    }
    let text = std::fs::read(file);
    let text = text.map_err(|error| ConnectionError::File(file.to_owned(), error))?;
    Ok(Ok(String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

/// The password of the first line that matches.
pub(super) fn find(text: &str, wanted: Wanted<'_>) -> Option<String> {
    let matching = |line: &str| {
        if line.starts_with('#') {
            return None;
        }
        let [host, port, database, user, password] = fields(line)?;
        let matches = [
            (host, wanted.host),
            (port, wanted.port),
            (database, wanted.database),
            (user, wanted.user),
        ];
        let is_match = |(field, wanted): &(Field, &str)| field.is_any || field.text == *wanted;
        matches.iter().all(is_match).then_some(password.text)
    };
    text.lines().find_map(matching)
}

/// A field, and whether it is a bare asterisk.
struct Field {
    text: String,
    is_any: bool,
}

/// The fields of a line, between colons. A backslash makes the next letter literal.
fn fields(line: &str) -> Option<[Field; 5]> {
    let mut fields = Vec::new();
    let mut text = String::new();
    let mut is_escaped = false;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                is_escaped = true;
                text.extend(letters.next());
            }
            // The password is the rest, whatever is in it.
            ':' if fields.len() < 4 => {
                fields.push(field(std::mem::take(&mut text), is_escaped));
                is_escaped = false;
            }
            letter => text.push(letter),
        }
    }
    fields.push(field(text, is_escaped));
    fields.try_into().ok()
}

fn field(text: String, is_escaped: bool) -> Field {
    Field {
        is_any: text == "*" && !is_escaped,
        text,
    }
}
