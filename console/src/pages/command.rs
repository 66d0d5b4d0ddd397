//! `/commands/{name}`: one command, its functions, its executions and kept states; the state of a
//! stream as it sees it; a form to try it.

use eventcore_inspect::Session;
use eventcore_inspect::commands::{
    Command, Execution, KeptState, Source, execution, executions, kept_states, show, sources,
};
use maud::{Markup, html};

use super::commands::streams;
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::operate::{name_field, one_more, page, permitted, source, trail, trail_to};
use crate::view::table::{self, Column, facts, number, row, text, wide};
use crate::view::text::{badge, bytes, position, stream, time, told};
use crate::view::{form, json, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/commands/{name}", |asked| Box::pin(command(asked))),
    Route::page("/commands/{name}/executions", |asked| {
        Box::pin(all_executions(asked))
    }),
    Route::page("/commands/{name}/kept", |asked| Box::pin(all_kept(asked))),
];

pub(super) const ALL: &str = "/commands";

/// How many executions and kept states the page of the command shows, and a page of their own.
const FEW: usize = 10;
const PAGE: usize = 100;

async fn command(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let of = show(&session, asked.name("name")).await?;
    let functions = sources(&session, &of.name).await?;
    let found = executions(&session, &of.name, "", one_more(FEW)).await;
    let executions = permitted(found, |found| few(found, &of.name, "executions", executed))?;
    let found = kept_states(&session, &of.name, ("", 0), one_more(FEW)).await;
    let kept = permitted(found, |found| few(found, &of.name, "kept", kept))?;
    let body = html! {
        (trail(&[("Commands", ALL.to_owned())]))
        h1 { (told(&of.name)) }
        (all_facts(&of))
        (state_form(&asked, &of.name))
        (try_form(&asked, &of.name, "{}"))
        section { h2 { "Executions with an idempotency key" } (executions) }
        section { h2 { "Kept states" } (kept) }
        (definitions(&functions))
    };
    Ok(Page::new(of.name, body).into())
}

fn all_facts(of: &Command) -> Markup {
    html! {
        (facts(&[
            ("Streams", streams(of)),
            ("Attempts at most", html! { (of.max_attempts) }),
            ("Keeps states after", html! { @if of.snapshot_every > 0 { (of.snapshot_every) " events" } @else { "never" } }),
            ("Changed", time(of.changed_at)),
        ]))
        h2 { "Initial state" }
        (json::document(of.initial_state.get()))
        @if let Some(required) = &of.required_fields { h2 { "Required fields of the input" } (json::document(required.get())) }
        details { summary { "Settings that its functions run with" }
            ul { @for setting in &of.settings { li { code { (told(setting)) } } } } }
    }
}

/// Asks for the state of a stream, after any version.
fn state_form(asked: &Asked, name: &str) -> Markup {
    html! {
        section {
            h2 { "State of a stream" }
            p.note { "The events of a stream up to a version, applied to the initial state." }
            form.filter method="get" action=(link::below(ALL, name, "state", [])) {
                (name_field(asked))
                label { span { "Stream" } input name="stream" required autocomplete="off" spellcheck="false"; }
                label { span { "Up to version" } input name="version" inputmode="numeric" pattern="[0-9]*" placeholder="the last" autocomplete="off"; }
                button { "Show" }
            }
        }
    }
}

/// Asks for an input to try. Nothing if actions are not allowed.
pub(super) fn try_form(asked: &Asked, name: &str, input: &str) -> Markup {
    html! {
        @if asked.state().allow_actions {
            section {
                h2 { "Try it" }
                p.note { "It is executed in a transaction that is rolled back. The positions that it takes stay unused, and readers "
                    "wait for the moment that it takes." }
                (form::action(asked, &link::below(ALL, name, "dry-run", []), html! {
                    label { span { "Input" } textarea name="input" rows="6" required spellcheck="false" { (input) } }
                    button { "Try" }
                }))
            }
        }
    }
}

fn definitions(functions: &[Source]) -> Markup {
    html! {
        section {
            h2 { "Functions" }
            @for function in functions {
                h3 { (function.part) " " code { (told(&function.signature)) } }
                @match &function.definition {
                    Some(definition) => { (source(definition)) }
                    None => { p.problem { "It does not exist any more." } }
                }
            }
        }
    }
}

/// The first few of a list, with a link to all.
fn few<T>(found: Vec<T>, name: &str, rest: &str, show: impl FnOnce(&[T]) -> Markup) -> Markup {
    let (found, all) = page(found, FEW, |_| link::below(ALL, name, rest, []));
    html! { (show(&found)) (table::more(all.as_deref(), "All")) }
}

const EXECUTIONS: [Column; 4] = [
    wide("Idempotency key"),
    text("Executed"),
    text("Positions"),
    text("Streams afterwards"),
];

fn executed(found: &[Execution]) -> Markup {
    let rows = html! {
        @for of in found {
            (row(&EXECUTIONS, &[
                html! { code { (told(&of.idempotency_key)) } },
                time(of.recorded_at),
                html! {
                    @match (of.first_position, of.last_position) {
                        (Some(first), Some(last)) => { (position(first)) @if first != last { " to " (position(last)) } }
                        _ => { "wrote nothing" }
                    }
                },
                html! { span { @for (at, of) in of.streams.iter().enumerate() {
                    @if at > 0 { ", " } (stream(&of.stream_id)) " at " (of.version)
                } } },
            ]))
        }
    };
    html! {
        @if found.is_empty() { (table::nothing("None.")) }
        @else { (table::table("Executions, by key", &EXECUTIONS, rows)) }
    }
}

const KEPT: [Column; 5] = [
    wide("Stream"),
    text("Versions"),
    text("Role"),
    text("Saved"),
    number("Size"),
];

fn kept(found: &[KeptState]) -> Markup {
    let rows = html! {
        @for of in found {
            (row(&KEPT, &[
                stream(&of.stream_id),
                html! { (of.first_version) " to " (of.last_version) },
                told(&of.role),
                html! { span { (time(of.kept_at)) @if of.is_stale { " " (badge("older than the command", "warn")) } } },
                bytes(of.bytes),
            ]))
        }
    };
    html! {
        @if found.is_empty() { (table::nothing("None.")) }
        @else { (table::table("Kept states, by stream", &KEPT, rows)) }
    }
}

/// Executions by pages, or the one with a key.
async fn all_executions(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let name = asked.name("name");
    let (found, next) = found_executions(&asked, &session, name).await?;
    let body = html! {
        (trail_to("Commands", ALL, name))
        h1 { "Executions of " (told(name)) }
        (form::filter(&asked, html! {
            (name_field(&asked))
            (form::field(&asked, "key", "Idempotency key", "the whole key"))
        }))
        (executed(&found))
        (table::more(next.as_deref(), "Next page"))
    };
    Ok(Page::new(format!("Executions of {name}"), body).into())
}

async fn found_executions(
    asked: &Asked,
    session: &Session,
    name: &str,
) -> Result<(Vec<Execution>, Option<String>), Failure> {
    if let Some(key) = asked.value("key") {
        let found = execution(session, name, key).await?;
        return Ok((found.into_iter().collect(), None));
    }
    let after = asked.value("after").unwrap_or_default();
    let found = executions(session, name, after, one_more(PAGE)).await?;
    Ok(page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.idempotency_key))])
    }))
}

async fn all_kept(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let name = asked.name("name");
    let after = asked.value("after").unwrap_or_default();
    let role = asked.parsed("role")?.unwrap_or(0);
    let found = kept_states(&session, name, (after, role), one_more(PAGE)).await?;
    let (found, next) = page(found, PAGE, |last| {
        let role = last.role_oid.to_string();
        asked.with(&[("after", Some(&last.stream_id)), ("role", Some(&role))])
    });
    let body = html! {
        (trail_to("Commands", ALL, name))
        h1 { "Kept states of " (told(name)) }
        (kept(&found))
        (table::more(next.as_deref(), "Next page"))
    };
    Ok(Page::new(format!("Kept states of {name}"), body).into())
}
