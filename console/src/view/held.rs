//! What is said wherever a page shows how far readers are behind.

use maud::{Markup, html};

use super::text::{badge, seconds, told};
use crate::asked::Asked;

/// Says what holds readers back, if that lasts: then no reader is behind, and yet nothing arrives. The
/// monitor has asked for it.
pub(crate) fn held_back(asked: &Asked) -> Markup {
    let now = asked.state().monitor.read(|seen| seen.now.clone());
    let Some(holder) = now.as_ref().and_then(|now| now.holder.as_ref()) else {
        return html! {};
    };
    html! {
        p.held {
            (badge("waiting", "warn")) " Readers have been held back"
            @if let Some(age) = holder.age_seconds { " for " (seconds(age)) }
            @match holder.pid {
                Some(pid) => {
                    " by process " a href="/inflight" { (pid) }
                    @if let Some(about) = holder.about() { " (" (told(&about)) ")" }
                }
                None => { ", until a " a href="/inflight" { "synchronous standby" } " confirms what is committed" }
            }
            ": no lag counts what they cannot see yet."
        }
    }
}
