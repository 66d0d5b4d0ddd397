//! `/`: what happens now, in the last hour, and what is wrong.

use std::sync::Arc;

use eventcore_inspect::doctor::{Diagnosis, Severity};
use eventcore_inspect::stats::Stats;
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::monitor::{Rates, Reader, Seen, Snapshot};
use crate::page::Page;
use crate::routes::Route;
use crate::view::held::held_back;
use crate::view::table::{self, number, row, wide};
use crate::view::text::{badge, bytes, position, rate, seconds, time, told};
use crate::view::{link, spark};

pub(crate) const ROUTES: &[Route] = &[Route::page("/", |asked| Box::pin(overview(asked)))];

/// How many readers and findings are shown.
const READERS: usize = 12;
const FINDINGS: usize = 3;

/// What was known when the page was made.
struct Known {
    now: Option<Arc<Snapshot>>,
    problem: Option<String>,
    rates: Vec<Option<Rates>>,
    readers: Vec<(Reader, i64, Vec<i64>)>,
}

impl Known {
    fn of(seen: &Seen) -> Self {
        let mut readers: Vec<_> = match &seen.now {
            Some(now) => now.lags().collect(),
            None => Vec::new(),
        };
        readers.sort_by_key(|(_, lag)| std::cmp::Reverse(*lag));
        let readers = readers.into_iter().take(READERS).map(|(reader, lag)| {
            let lags = seen
                .lags
                .get(&reader)
                .map(|lags| lags.iter().copied().collect());
            (reader, lag, lags.unwrap_or_default())
        });
        Self {
            readers: readers.collect(),
            now: seen.now.clone(),
            problem: seen.problem.clone(),
            rates: seen.rates.iter().copied().collect(),
        }
    }
}

/// It asks the database nothing: the monitor has.
async fn overview(asked: Asked) -> Result<Answer, Failure> {
    let known = asked.state().monitor.read(Known::of);
    let said = asked.state().doctor.last();
    let body = html! {
        h1 { "Overview" }
        ec-live id="overview" data-every="2" {
            (held_back(&asked))
            @match &known.now {
                Some(now) => { (tiles(&now.stats, &known.rates)) (last_hour(&known.rates)) (readers(&known.readers))
                    @for problem in &now.problems { p.note { "Not all readers are shown: " (told(problem)) "." } }
                }
                None => { (away(known.problem.as_deref())) }
            }
            (findings(said.as_ref().map(|said| &*said.diagnosis)))
        }
    };
    Ok(Page::new("Overview", body).into())
}

fn away(problem: Option<&str>) -> Markup {
    html! {
        div.failure role="status" {
            @match problem {
                Some(problem) => { h2 { "There are no figures at the moment" } p.message { (told(problem)) } }
                None => { p { "The database has not been asked yet. Load the page again in a second." } }
            }
        }
    }
}

fn tile(name: &str, value: Markup, note: Markup) -> Markup {
    html! { div.tile { dt { (name) } dd { span.value { (value) } span.note { (note) } } } }
}

/// The mean of the last seconds, so that a figure can be read.
fn recent(rates: &[Option<Rates>]) -> Rates {
    const SECONDS: usize = 5;
    let last: Vec<Rates> = rates
        .iter()
        .rev()
        .take(SECONDS)
        .flatten()
        .copied()
        .collect();
    let mean = |of: fn(&Rates) -> f32| {
        last.iter().map(of).fold(0.0, |sum, rate| sum + rate) / last.len().max(1) as f32
    };
    Rates {
        events: mean(|rates| rates.events),
        appends: mean(|rates| rates.appends),
        conflicts: mean(|rates| rates.conflicts),
        repeats: mean(|rates| rates.repeats),
        rolled_back: mean(|rates| rates.rolled_back),
    }
}

fn tiles(stats: &Stats, rates: &[Option<Rates>]) -> Markup {
    let now = recent(rates);
    let tries = now.appends + now.conflicts;
    let share = if tries > 0.0 {
        now.conflicts / tries * 100.0
    } else {
        0.0
    };
    let above = stats
        .last_position
        .saturating_sub(stats.safe_position)
        .max(0);
    html! {
        dl.tiles {
            (tile("Events per second", rate(now.events), html! { "in " (rate(now.appends)) " appends" }))
            (tile("Conflicts", html! { (format!("{share:.0}")) " %" }, html! { (rate(now.conflicts)) " per second" }))
            (tile("Repeats per second", rate(now.repeats), html! { "appends sent again" }))
            (tile("Rolled back per second", rate(now.rolled_back), html! { "appends" }))
            (tile("Safe position", position(stats.safe_position), html! { (above) " above it" }))
            (tile("In flight", html! { (stats.in_flight) }, html! { "oldest " (seconds(stats.in_flight_oldest_seconds)) }))
            (tile("Notifier", notifier(stats), html! { @if let Some(at) = stats.last_notified_at { "last " (time(at)) } }))
            (tile("Events on disk", bytes(stats.events_bytes), html! { "and " (bytes(stats.indexes_bytes)) " of indexes" }))
        }
    }
}

fn notifier(stats: &Stats) -> Markup {
    let mood = match stats.notifier_state.as_str() {
        "running" => "good",
        "none" => "calm",
        _ => "warn",
    };
    badge(&stats.notifier_state, mood)
}

fn last_hour(rates: &[Option<Rates>]) -> Markup {
    // A console that has just begun shows what it knows.
    const ROOM: usize = 120;
    let values = |of: fn(&Rates) -> f32| -> Vec<Option<f32>> {
        rates.iter().map(|rates| rates.as_ref().map(of)).collect()
    };
    let chart = |label: &str, values: Vec<Option<f32>>| {
        let highest = values.iter().flatten().copied().fold(0.0_f32, f32::max);
        html! {
            figure {
                figcaption { (label) span.note { "highest " (rate(highest)) } }
                (spark::line(&format!("{label} in the last hour"), &values, ROOM))
            }
        }
    };
    html! {
        section {
            h2 { "Last hour" }
            div.charts {
                (chart("Events per second", values(|rates| rates.events)))
                (chart("Appends per second", values(|rates| rates.appends)))
                (chart("Conflicts per second", values(|rates| rates.conflicts)))
            }
        }
    }
}

const READER_COLUMNS: [table::Column; 5] = [
    wide("Reader"),
    table::text("Kind"),
    number("Events behind"),
    table::text("Trend"),
    table::text("Last hour"),
];

fn readers(readers: &[(Reader, i64, Vec<i64>)]) -> Markup {
    let rows = html! {
        @for (reader, lag, lags) in readers {
            @let (name, kind, path) = match reader {
                Reader::Subscription(name) => (name, "subscription", link::named("/subscriptions", name)),
                Reader::Projection(name) => (name, "projection", link::named("/projections", name)),
                Reader::Checkpoint(name) => (name, "client", "/checkpoints".to_owned()),
            };
            @let values: Vec<Option<f32>> = lags.iter().map(|lag| Some(*lag as f32)).collect();
            (row(&READER_COLUMNS, &[
                html! { a.name href=(path) { (told(name)) } },
                html! { (kind) },
                crate::view::text::number(*lag),
                spark::trend(lags),
                spark::line("Events behind in the last hour", &values, 12),
            ]))
        }
    };
    html! {
        section {
            h2 { "Readers" }
            @if readers.is_empty() { (table::nothing("There is no subscription, projection or checkpoint.")) }
            @else { (table::table("Readers by how far they are behind", &READER_COLUMNS, rows)) }
        }
    }
}

fn findings(diagnosis: Option<&Diagnosis>) -> Markup {
    html! {
        section {
            h2 { "Doctor" }
            @match diagnosis {
                None => { (table::nothing("Not asked yet.")) }
                Some(diagnosis) if diagnosis.findings.is_empty() => { p { (badge("well", "good")) " No check found anything." } }
                Some(diagnosis) => {
                    ul.findings {
                        @for finding in diagnosis.findings.iter().take(FINDINGS) {
                            li {
                                (badge(finding.severity.as_str(), mood(finding.severity)))
                                " " strong { (told(&finding.object)) } " " (told(&finding.message))
                            }
                        }
                    }
                    @if diagnosis.findings.len() > FINDINGS {
                        p { a href="/doctor" { "All " (diagnosis.findings.len()) " findings" } }
                    }
                }
            }
        }
    }
}

fn mood(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "bad",
        Severity::Warning => "warn",
        Severity::Note => "calm",
    }
}
