//! Pages that run functions of the database's users are shown to people who ask for them: a link, a
//! picture or a script of another site does not run them.

use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, StatusCode, header};
use maud::html;

use super::host::is_loopback;
use crate::answer::Answer;
use crate::asked::Asked;
use crate::page::Page;

/// Whether the request came from a page of ours, from the address bar, or from a program.
///
/// The first page after signing in does not count: the link that led to it may be of another site.
pub(crate) fn is_from_here(asked: &Asked) -> bool {
    let headers = asked.headers();
    let is_led = asked
        .visitor()
        .is_some_and(|visitor| visitor.is_signed_in && visitor.is_new);
    !is_led
        && match text(headers, "sec-fetch-site") {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => is_from_here_without_help(headers),
        }
}

/// Browsers send `Sec-Fetch-Site` only to addresses that they trust: by TLS, and to this machine. So
/// without it, it is a program that asks this machine; elsewhere a page of ours sends `Referer`, and
/// an address that was typed cannot be told from a link of another site.
fn is_from_here_without_help(headers: &HeaderMap) -> bool {
    let host = text(headers, "host");
    if let Some(from) = text(headers, "referer") {
        let from = from.parse::<Uri>().ok();
        let from = from
            .as_ref()
            .and_then(Uri::authority)
            .map(Authority::as_str);
        return from
            .zip(host)
            .is_some_and(|(from, host)| from.eq_ignore_ascii_case(host));
    }
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    headers.contains_key(header::AUTHORIZATION) || host.is_some_and(|host| is_loopback(host.host()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What is shown instead of the page: a question, whose answer leads to it.
pub(crate) fn question(asked: &Asked) -> Answer {
    let body = html! {
        h1 { "Run functions of this database?" }
        p { "A link from elsewhere led here. The page runs functions that were registered with a command, with the rights of the console's role." }
        div.actions {
            a.button href=(asked.here()) { "Run them and show the page" }
            a.button href="/" { "Do nothing" }
        }
    };
    let page = Page::new("Run functions of this database?", body);
    page.status(StatusCode::FORBIDDEN).into()
}
