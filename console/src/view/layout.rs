//! The layout: navigation, message, footer; pages for errors.

use std::time::Instant;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use eventcore_inspect::text::safe;
use maud::{DOCTYPE, Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::guard::cookie_of;
use crate::page::Page;
use crate::view::text::{self, told};
use crate::{assets, routes, view};

/// The navigation. A page that is not in the table of routes is left out.
const NAVIGATION: [(&str, &[(&str, &str)]); 3] = [
    (
        "Events",
        &[
            ("/", "Overview"),
            ("/streams", "Streams"),
            ("/tail", "Tail"),
            ("/search", "Search"),
        ],
    ),
    (
        "Readers",
        &[
            ("/subscriptions", "Subscriptions"),
            ("/projections", "Projections"),
            ("/checkpoints", "Checkpoints"),
        ],
    ),
    (
        "Operation",
        &[
            ("/commands", "Commands"),
            ("/inflight", "In flight"),
            ("/doctor", "Doctor"),
            ("/settings", "Settings"),
        ],
    ),
];

const SCRIPTS: [&str; 2] = ["console.js", "tail.js"];

/// The response for what a handler returned.
pub(crate) fn response(asked: &Asked, result: Result<Answer, Failure>, began: Instant) -> Response {
    let page = match result {
        Ok(Answer::Response(mut response)) => {
            count(asked, began, &mut response);
            return response;
        }
        Ok(Answer::Page(page)) => *page,
        Err(failure) => error_page(&failure),
    };
    let kind = [("content-type", "text/html; charset=utf-8")];
    let text = document(asked, &page, began).into_string();
    let mut response = (page.status, kind, text).into_response();
    count(asked, began, &mut response);
    response
}

/// Says how long it took, and how many statements it needed.
fn count(asked: &Asked, began: Instant, response: &mut Response) {
    let took = began.elapsed().as_secs_f64() * 1e3;
    let text = format!(
        "db;desc=\"{} statements\", total;dur={took:.1}",
        asked.statements()
    );
    if let Ok(text) = HeaderValue::try_from(text) {
        let name = HeaderName::from_static("server-timing");
        response.headers_mut().insert(name, text);
    }
}

fn error_page(failure: &Failure) -> Page {
    let title = failure.status.canonical_reason().unwrap_or("Error");
    let body = view::failure::failure(html! { h1 { (title) } }, failure);
    Page::new(title, body).status(failure.status)
}

fn document(asked: &Asked, page: &Page, began: Instant) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme(asked)] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (safe(&page.title)) " · eventcore" }
                link rel="icon" href=(assets::path("icon.svg"));
                link rel="stylesheet" href=(assets::path("console.css"));
                @for script in SCRIPTS { script type="module" src=(assets::path(script)) {} }
            }
            @if page.is_bare {
                body.bare { main id="main" { (page.body) } }
            } @else {
                body { (frame(asked, page, began)) }
            }
        }
    }
}

/// The theme that the browser has chosen, if it is not the system's.
fn theme(asked: &Asked) -> Option<&str> {
    let chosen = cookie_of(asked.headers(), "eventcore_theme");
    chosen.filter(|theme| matches!(*theme, "light" | "dark"))
}

fn frame(asked: &Asked, page: &Page, began: Instant) -> Markup {
    let state = asked.state();
    // A script that asks for a part of the page would take the message away unseen.
    let visitor = asked.visitor().filter(|_| !asked.is_for_part());
    let message = visitor.and_then(|visitor| state.visitors.told(&visitor.id));
    html! {
        a.skip href="#main" { "Skip to the content" }
        header.top {
            a.brand href="/" { img src=(assets::path("icon.svg")) alt="" width="24" height="24"; "eventcore" }
            span.database title="The database" { (told(state.database())) }
            form.go method="get" action="/go" role="search" aria-label="Go to" {
                input type="search" name="q" placeholder="Stream, position or id" aria-label="Go to a stream, a position or an id"
                    autocomplete="off" autocapitalize="off" spellcheck="false" data-key="/";
            }
            @if state.allow_actions { span.badge.warn title="This console was started with --allow-actions" { "actions on" } }
            @else { span.badge.calm title="This console changes nothing" { "read-only" } }
            ec-theme {}
            @if let Some(visitor) = asked.visitor().filter(|visitor| visitor.is_signed_in) {
                form method="post" action="/sign-out" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    button.plain { "Sign out" }
                }
            }
        }
        nav.side aria-label="Pages" {
            @for (group, pages) in NAVIGATION {
                @let pages: Vec<_> = pages.iter().filter(|(path, _)| routes::has_page(path)).collect();
                @if !pages.is_empty() {
                    h2 { (group) }
                    ul { @for (path, name) in pages {
                        li { a href=(path) aria-current=[is_current(asked.path(), path).then_some("page")] { (name) } }
                    } }
                }
            }
        }
        main id="main" tabindex="-1" {
            @if let Some(message) = message { p.told role="status" { (told(&message)) } }
            (page.body)
        }
        footer.bottom {
            span { (text::count(asked.statements(), "statement")) ", " (format!("{:.0}", began.elapsed().as_secs_f64() * 1e3)) " ms" }
            span { "eventcore " (env!("CARGO_PKG_VERSION")) }
        }
    }
}

fn is_current(path: &str, of: &str) -> bool {
    let below = path.strip_prefix(of);
    match of {
        "/" => path == "/",
        _ => below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}
