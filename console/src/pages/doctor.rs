//! `/doctor`: what is wrong, with the statement that repairs it; those that do no harm can be run.

use eventcore_inspect::doctor::{CHECKS, Diagnosis, Finding, Severity, diagnose, fix};
use maud::{Markup, html};

use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::doctor::{self, Said};
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::operate::source;
use crate::view::text::{badge, count, marked, time, told};
use crate::view::{form, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/doctor", |asked| Box::pin(show(asked))),
    Route::action("/doctor/fix", |sent| Box::pin(repair(sent))),
];

/// The levels, the worst first.
const LEVELS: [(Severity, &str, &str); 3] = [
    (Severity::Error, "Errors", "bad"),
    (Severity::Warning, "Warnings", "warn"),
    (Severity::Note, "Notes", "calm"),
];

async fn show(asked: Asked) -> Result<Answer, Failure> {
    let Said { at, diagnosis } = doctor::ask(asked.state()).await?;
    let body = html! {
        h1 { "Doctor" }
        p { (CHECKS.len()) " checks found " (count(diagnosis.findings.len(), "thing")) ", " (time(at)) "."
            @if diagnosis.findings.is_empty() { " " (badge("well", "good")) } }
        @for (level, title, mood) in LEVELS {
            @let findings: Vec<&Finding> = diagnosis.findings.iter().filter(|finding| finding.severity == level).collect();
            @if !findings.is_empty() {
                section {
                    h2 { (title) " (" (findings.len()) ")" }
                    ul.findings { @for finding in findings { (shown(&asked, finding, mood)) } }
                }
            }
        }
        (skipped(&diagnosis))
        (checks(&diagnosis))
    };
    Ok(Page::new("Doctor", body).into())
}

fn shown(asked: &Asked, finding: &Finding, mood: &str) -> Markup {
    html! {
        li {
            p { (badge(finding.severity.as_str(), mood)) " " strong { (told(&finding.object)) } " " code { (told(&finding.id)) } }
            p { (told(&finding.message)) }
            @if let Some(statement) = &finding.statement {
                (source(statement))
                @if finding.is_safe {
                    (form::action(asked, "/doctor/fix", html! {
                        input type="hidden" name="id" value=(finding.id);
                        input type="hidden" name="object" value=(finding.object);
                        input type="hidden" name="statement" value=(statement);
                        button { "Run this statement, which does no harm" }
                    }))
                }
            }
            @if !finding.action.is_empty() { p { (marked(&finding.action)) } }
            @if let Some(page) = page_of(finding) { p { a href=(page) { "Look at it" } } }
            p.note { "See " code { (finding.see) } " in the manual." }
        }
    }
}

/// The page of what a finding is about.
fn page_of(finding: &Finding) -> Option<String> {
    let named = |path| Some(link::named(path, &finding.object));
    match finding.id.as_str() {
        "safe_position_held" => Some("/inflight".to_owned()),
        "streams_stopped" | "expired_leases" => named("/subscriptions"),
        "rebuild_does_not_end" => named("/projections"),
        id if id.starts_with("subscription_") => named("/subscriptions"),
        id if id.starts_with("projection_") => named("/projections"),
        _ => None,
    }
}

fn skipped(diagnosis: &Diagnosis) -> Markup {
    html! {
        @if !diagnosis.skipped.is_empty() {
            section {
                h2 { "Not looked at (" (diagnosis.skipped.len()) ")" }
                ul.findings {
                    @for skipped in &diagnosis.skipped { li { code { (skipped.id) } " " (told(&skipped.reason)) } }
                }
            }
        }
    }
}

/// The checks that found nothing.
fn checks(diagnosis: &Diagnosis) -> Markup {
    let has_nothing = |id: &str| {
        let found = diagnosis.findings.iter().any(|finding| finding.id == id);
        let skipped = diagnosis.skipped.iter().any(|skipped| skipped.id == id);
        !found && !skipped
    };
    html! {
        details {
            summary { "Checks that found nothing" }
            ul.findings {
                @for (level, _, mood) in LEVELS {
                    @for check in CHECKS.iter().filter(|check| check.severity == level && has_nothing(check.id)) {
                        li { (badge(level.as_str(), mood)) " " code { (check.id) } " not found: " (marked(check.meaning)) }
                    }
                }
            }
        }
    }
}

/// Looks again, and runs the statement of the finding only if it is still there as it was seen. No
/// statement of a form is ever run.
async fn repair(sent: Submitted) -> Result<Done, Failure> {
    let (id, object) = (
        sent.required("id")?,
        sent.field("object").unwrap_or_default(),
    );
    let statement = sent.required("statement")?;
    let diagnosis = diagnose(&sent.session).await?;
    let is_seen = |finding: &&Finding| {
        finding.id == id
            && finding.object == object
            && finding.statement.as_deref() == Some(statement)
            && finding.is_safe
    };
    let Some(finding) = diagnosis.findings.iter().find(is_seen) else {
        return Err(Failure::not_found(format!(
            "the finding {id} of {object:?} is not there any more"
        ))
        .with_hint("Look at the doctor's page again."));
    };
    fix(&sent.session, finding).await?;
    sent.asked.state().doctor.forget().await;
    Ok(Done::new(
        format!("{id} of {object:?} is repaired"),
        "/doctor",
    ))
}
