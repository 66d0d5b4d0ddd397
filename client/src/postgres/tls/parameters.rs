//! The TLS parameters in a connection URL or string. tokio-postgres does not know most of them.

use std::borrow::Cow;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::{TlsSettings, UnknownMode};

/// Takes the TLS parameters out of a URL or a string of `key=value`, and returns the rest.
pub(crate) fn take_out(url: &str) -> Result<(String, TlsSettings), UnknownMode> {
    let mut settings = TlsSettings::default();
    let left = take(url, &mut |key, value| settings.set(key, value))?;
    Ok((left, settings))
}

/// Takes out the parameters for which `is_taken` returns true, and returns the rest.
pub(crate) fn take<E>(
    url: &str,
    is_taken: &mut impl FnMut(&str, &str) -> Result<bool, E>,
) -> Result<String, E> {
    let is_url = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    match is_url {
        true => of_url(url, is_taken),
        false => of_pairs(url, is_taken),
    }
}

impl TlsSettings {
    /// Whether this is a TLS parameter.
    fn set(&mut self, key: &str, value: &str) -> Result<bool, UnknownMode> {
        match key {
            "sslmode" => self.mode = Some(value.parse()?),
            "sslrootcert" => self.root = Some(PathBuf::from(value).into()),
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn of_url<E>(
    url: &str,
    is_taken: &mut impl FnMut(&str, &str) -> Result<bool, E>,
) -> Result<String, E> {
    // Like tokio-postgres: the user comes before the first `@`.
    let host = url.find('@').map_or(0, |at| at + 1);
    let Some(query) = url[host..].find('?').map(|at| host + at + 1) else {
        return Ok(url.to_owned());
    };
    let mut left = Vec::new();
    for parameter in url[query..].split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !is_taken(&decoded(key), &decoded(value))? {
            left.push(parameter);
        }
    }
    Ok(format!("{}{}", &url[..query], left.join("&")))
}

fn decoded(text: &str) -> Cow<'_, str> {
    // A value that is not UTF-8 names no file that the client can open: the file will be missing.
    percent_decode_str(text).decode_utf8_lossy()
}

/// A string that cannot be parsed is left for tokio-postgres to refuse.
fn of_pairs<E>(
    text: &str,
    is_taken: &mut impl FnMut(&str, &str) -> Result<bool, E>,
) -> Result<String, E> {
    let (mut left, mut rest) = (String::new(), text);
    while let Some((key, value, after)) = pair(rest) {
        if !is_taken(key, &value)? {
            left.push_str(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
    Ok(left + rest)
}

/// The first `key = value` with the value unquoted, and the rest.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (key, text) = text.split_once('=')?;
    let text = text.trim_start();
    let (quoted, text) = match text.strip_prefix('\'') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let ends = |letter: char| {
        if quoted {
            letter == '\''
        } else {
            letter.is_whitespace()
        }
    };
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        if ends(letter) {
            return Some((key.trim(), value, &text[at + letter.len_utf8()..]));
        }
        match letter {
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => value.push(letter),
        }
    }
    (!quoted).then_some((key.trim(), value, ""))
}

#[cfg(test)]
mod tests {
    use super::super::{Root, TlsMode};
    use super::*;

    #[test]
    fn the_parameters_are_taken_out_of_a_url_and_the_others_stay() {
        let url = "postgresql://u:p%3F@host:1/db?sslmode=verify-full&connect_timeout=3\
                   &sslrootcert=%2Fa%20b&sslcert=/c&sslkey=/k&application_name=a%26b";
        let (left, settings) = take_out(url).unwrap();
        let rest = "postgresql://u:p%3F@host:1/db?connect_timeout=3&application_name=a%26b";
        assert_eq!(left, rest);
        assert_eq!(settings.mode, Some(TlsMode::VerifyFull));
        assert_eq!(settings.root, Some(Root::File("/a b".into())));
        assert_eq!(settings.certificate, Some("/c".into()));
        assert_eq!(settings.key, Some("/k".into()));
        assert_eq!(
            take_out("postgres://h/d?sslrootcert=system")
                .unwrap()
                .1
                .root,
            Some(Root::System)
        );
    }

    #[test]
    fn the_parameters_are_taken_out_of_pairs_and_the_others_stay() {
        let text = r"host=h sslmode = require password='a sslmode=disable \' b' sslrootcert='/a b' user=\'u";
        let (left, settings) = take_out(text).unwrap();
        assert_eq!(settings.mode, Some(TlsMode::Require));
        assert_eq!(settings.root, Some(Root::File("/a b".into())));
        let config: tokio_postgres::Config = left.parse().unwrap();
        let password = b"a sslmode=disable ' b".as_slice();
        assert_eq!(config.get_password(), Some(password));
        assert_eq!(config.get_user(), Some("'u"));
    }

    #[test]
    fn what_has_no_such_parameters_is_left_as_it_is() {
        for text in [
            "postgresql://u@h/d",
            "postgresql:///d?host=/tmp/x&port=5433",
            "host=/tmp/x port=5433",
            "host='/tmp/x",
            "no pair",
            "",
        ] {
            assert_eq!(take_out(text).unwrap().0, text);
        }
    }

    #[test]
    fn an_unknown_mode_is_told_with_those_that_there_are() {
        for text in ["postgresql://h/d?sslmode=alow", "host=h sslmode=alow"] {
            let error = take_out(text).unwrap_err().to_string();
            assert!(
                error.contains("\"alow\"") && error.contains("verify-full"),
                "{error}"
            );
        }
    }
}
