//! Signing in and out.

use axum::http::StatusCode;
use maud::html;

use super::{cookie, is_same};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;

/// Served only if there is a secret.
pub(crate) const ROUTES: &[Route] = &[
    Route::page("/sign-in", |asked| Box::pin(form(asked))).open(),
    Route::door("/sign-in", |asked, form| Box::pin(sign_in(asked, form))).open(),
    Route::door("/sign-out", |asked, form| Box::pin(sign_out(asked, form))),
];

async fn form(asked: Asked) -> Result<Answer, Failure> {
    Ok(page(&asked, asked.value("next"), None).into())
}

fn page(asked: &Asked, next: Option<&str>, problem: Option<&str>) -> Page {
    let body = html! {
        form.sign-in method="post" action="/sign-in" {
            h1 { "Sign in" }
            p { "to the console of " bdi { (asked.state().database()) } }
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            // Programs that keep passwords want to know whose it is.
            input type="text" name="user" value="eventcore" autocomplete="username" hidden;
            label { "Secret" input type="password" name="secret" required autofocus autocomplete="current-password"; }
            @if let Some(next) = next { input type="hidden" name="next" value=(next); }
            button { "Sign in" }
        }
    };
    Page::new("Sign in", body).bare()
}

/// Only a path of ours, so that no link leads to another site through us.
fn inside(next: Option<&str>) -> &str {
    match next {
        Some(path)
            if path.starts_with('/')
                && !path.starts_with("//")
                // Browsers read `\` as `/`, and leave out tabs: `/<tab>/evil`.
                && !path.contains(|c: char| c == '\\' || c.is_control()) =>
        {
            path
        }
        _ => "/",
    }
}

async fn sign_in(asked: Asked, form: Vec<(String, String)>) -> Result<Answer, Failure> {
    let field = |name: &str| {
        let found = form.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    };
    let state = asked.state();
    if !state.attempts.are_left() {
        let page = page(
            &asked,
            field("next"),
            Some("Too many attempts. Wait a minute."),
        );
        return Ok(page.status(StatusCode::TOO_MANY_REQUESTS).into());
    }
    let secret = state.secret.as_ref();
    let sent = field("secret").unwrap_or_default();
    if !secret.is_some_and(|secret| is_same(sent, secret.reveal())) {
        state.attempts.fail();
        state.log(&format!("sign-in refused: {}", asked.peer()));
        let page = page(&asked, field("next"), Some("This is not the secret."));
        return Ok(page.status(StatusCode::UNAUTHORIZED).into());
    }
    let visitor = state
        .visitors
        .welcome(true)
        .map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    state.log(&format!("signed in: {}", asked.peer()));
    let answer = Answer::redirect(inside(field("next")));
    Ok(answer.with_cookie(cookie(state, Some(&visitor.id))))
}

async fn sign_out(asked: Asked, form: Vec<(String, String)>) -> Result<Answer, Failure> {
    asked.check_csrf(&form)?;
    if let Some(visitor) = asked.visitor() {
        asked.state().visitors.forget(&visitor.id);
    }
    let answer = Answer::redirect("/sign-in");
    Ok(answer.with_cookie(cookie(asked.state(), None)))
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn after_signing_in_no_link_leads_to_another_site() {
        assert_eq!(inside(Some("/streams?prefix=a")), "/streams?prefix=a");
        for path in ["//evil", "https://evil", "/\\evil", "/\t/evil", "evil", ""] {
            assert_eq!(inside(Some(path)), "/", "{path}");
        }
    }
}
