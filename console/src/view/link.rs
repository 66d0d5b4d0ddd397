//! Links to pages, percent-encoded.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What cannot stand in a part of a path as it is.
const PART: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'/')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A part of a path.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// A path with a query string.
pub(crate) fn with_query<'a>(
    path: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The page of a thing by its name: `/streams/a`. Browsers take a part `.` or `..` for a step up, even
/// encoded, so these two go into the query string.
pub(crate) fn named(path: &str, name: &str) -> String {
    match name {
        "." | ".." => with_query(&format!("{path}/-"), [("name", name)]),
        name => format!("{path}/{}", part(name)),
    }
}

/// A page below that of a thing: `/subscriptions/a/parked`.
pub(crate) fn below<'a>(
    path: &str,
    name: &'a str,
    rest: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let (part, named) = match name {
        "." | ".." => ("-".to_owned(), Some(("name", name))),
        name => (part(name), None),
    };
    with_query(
        &format!("{path}/{part}/{rest}"),
        named.into_iter().chain(fields),
    )
}

/// The page of a stream.
pub(crate) fn stream(name: &str) -> String {
    named("/streams", name)
}

/// The page of an event, by its place in its stream.
pub(crate) fn version(stream: &str, version: i64) -> String {
    let version = version.to_string();
    match stream {
        "." | ".." => with_query(&format!("/streams/-/{version}"), [("name", stream)]),
        name => format!("/streams/{}/{version}", part(name)),
    }
}

/// The page of an event, by its position.
pub(crate) fn event(position: i64) -> String {
    format!("/events/{position}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path_whatever_it_is() {
        assert_eq!(stream("a/b?c#d%e"), "/streams/a%2Fb%3Fc%23d%25e");
        assert_eq!(stream("<\"'>"), "/streams/%3C%22'%3E");
        assert_eq!(stream(".."), "/streams/-?name=..");
        assert_eq!(below("/streams", "a/b", "7", []), "/streams/a%2Fb/7");
        assert_eq!(
            below("/streams", ".", "7", [("x", "&")]),
            "/streams/-/7?name=.&x=%26"
        );
        assert_eq!(stream("ü"), "/streams/%C3%BC");
    }
}
