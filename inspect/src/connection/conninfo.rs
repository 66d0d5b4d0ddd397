//! Connection strings of libpq: URLs, and lists of `key=value`.

use percent_encoding::percent_decode_str;

type Pairs = Vec<(String, String)>;

const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];

/// Whether a name of a database is in fact a connection string, by the rule of libpq.
pub(super) fn is_conninfo(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme)) || text.contains('=')
}

/// The parameters of a connection string.
pub(super) fn parse(text: &str) -> Result<Pairs, String> {
    match SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => of_url(rest),
        None if text.contains("://") => {
            Err("a URL begins with postgresql:// or postgres://".to_owned())
        }
        None => of_pairs(text),
    }
}

/// A list of `key='value'`.
pub(super) fn written<'a>(pairs: impl Iterator<Item = (&'a str, &'a String)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(key);
        text.push_str("='");
        for letter in value.chars() {
            if matches!(letter, '\'' | '\\') {
                text.push('\\');
            }
            text.push(letter);
        }
        text.push('\'');
    }
    text
}

/// `user:password@host:port,host:port/database?key=value&…`
fn of_url(text: &str) -> Result<Pairs, String> {
    let (text, query) = match text.split_once('?') {
        Some((text, query)) => (text, Some(query)),
        None => (text, None),
    };
    let (authority, database) = match text.split_once('/') {
        Some((authority, database)) => (authority, database),
        None => (text, ""),
    };
    let mut pairs = Pairs::new();
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            push(&mut pairs, "user", user)?;
            push(&mut pairs, "password", password)?;
            hosts
        }
        None => authority,
    };
    take_hosts(&mut pairs, hosts)?;
    push(&mut pairs, "dbname", database)?;
    for parameter in query.into_iter().flat_map(|query| query.split('&')) {
        if parameter.is_empty() {
            continue;
        }
        let Some((key, value)) = parameter.split_once('=') else {
            return Err("a parameter after `?` has no value".to_owned());
        };
        let key = decoded(key)?;
        let key = match (key.as_str(), value) {
            ("ssl", "true") => {
                pairs.push(("sslmode".to_owned(), "require".to_owned()));
                continue;
            }
            _ => key,
        };
        // What is after the question mark counts more, as in libpq.
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, decoded(value)?));
    }
    Ok(pairs)
}

fn take_hosts(pairs: &mut Pairs, hosts: &str) -> Result<(), String> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => {
                let Some((name, port)) = rest.split_once(']') else {
                    return Err("an IPv6 address has no closing bracket".to_owned());
                };
                (name, port.strip_prefix(':').unwrap_or(port))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decoded(name)?);
        ports.push(decoded(port)?);
    }
    if names.iter().any(|name| !name.is_empty()) {
        pairs.push(("host".to_owned(), names.join(",")));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        let port = |port: &String| match port.is_empty() {
            true => "5432".to_owned(),
            false => port.clone(),
        };
        let ports: Vec<String> = ports.iter().map(port).collect();
        pairs.push(("port".to_owned(), ports.join(",")));
    }
    Ok(())
}

fn push(pairs: &mut Pairs, key: &str, value: &str) -> Result<(), String> {
    if !value.is_empty() {
        pairs.push((key.to_owned(), decoded(value)?));
    }
    Ok(())
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    match decoded {
        Ok(text) if text.contains('\0') => Err("it contains the character U+0000".to_owned()),
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("it is not UTF-8 behind a percent sign".to_owned()),
    }
}

/// `key = value key = 'value with spaces'`, with a backslash before what is meant literally.
fn of_pairs(text: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else {
            return Err("a parameter has no `=`".to_owned());
        };
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err("a parameter has no `=`".to_owned());
        }
        let (value, after) = value(after.trim_start())?;
        // The last one counts, as in libpq.
        pairs.retain(|(known, _)| known != key);
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// The first value of a text, and the rest.
fn value(text: &str) -> Result<(String, &str), String> {
    let (is_quoted, text) = match text.strip_prefix('\'') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            '\'' if is_quoted => return Ok((value, &text[at + 1..])),
            letter if !is_quoted && letter.is_whitespace() => return Ok((value, &text[at..])),
            letter => value.push(letter),
        }
    }
    match is_quoted {
        true => Err("a value has no closing quote".to_owned()),
        false => Ok((value, "")),
    }
}
