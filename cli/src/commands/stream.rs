//! `eventcore stream show` and `eventcore stream events`

use clap::{Args, Subcommand};
use eventcore::Subscribe;
use eventcore_inspect::events::{StreamPage, of_stream, safe_position};
use eventcore_inspect::streams::show;

use super::tail::{filter, follow};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::maybe;

/// The arguments of `eventcore stream`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show its version, its state, and its first and last event
    Show {
        /// The stream
        stream: String,
    },
    /// List its events
    Events(Events),
}

#[derive(Args)]
struct Events {
    /// The stream
    stream: String,
    /// Newest first
    #[arg(long, conflicts_with = "follow")]
    backward: bool,
    /// Only events of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Option<Vec<String>>,
    /// Only events after this version; backward, before it
    #[arg(
        long,
        value_name = "VERSION",
        default_value_t = 0,
        hide_default_value = true
    )]
    after: i64,
    /// The most events to list [default: a screen on a terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Go on with those that come
    #[arg(short = 'f', long)]
    follow: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    match &arguments.action {
        Action::Show { stream } => show_stream(stream, context).await,
        Action::Events(arguments) => events(arguments, context).await,
    }
}

async fn show_stream(stream: &str, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let found = show(&session, stream).await?;
    let times = context.output.show;
    let fields = vec![
        ("stream", found.stream_id.clone()),
        ("version", found.version.to_string()),
        ("state", found.state.clone()),
        ("changed", times.maybe_time(found.changed_at)),
        ("changed by", maybe(found.changed_by.as_ref())),
        ("reason", maybe(found.reason.as_ref())),
        ("first version", maybe(found.first_version)),
        ("first position", maybe(found.first_position)),
        ("first recorded", times.maybe_time(found.first_recorded_at)),
        ("last position", maybe(found.last_position)),
        ("last event", maybe(found.last_event_type.as_ref())),
        ("last recorded", times.maybe_time(found.last_recorded_at)),
    ];
    context.output.record(&found, fields)
}

async fn events(arguments: &Events, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    // Before the first read, so that no event is between the two.
    let safe = safe_position(&session).await?;
    let limit = context.output.limit(arguments.limit);
    let page = StreamPage {
        after: arguments.after,
        limit: limit
            .filter(|_| !arguments.follow)
            .and_then(|limit| i64::try_from(limit).ok()),
        backward: arguments.backward,
        types: arguments.types.clone(),
    };
    let events = of_stream(&session, &arguments.stream, &page).await?;
    if !arguments.follow {
        if events.is_empty() {
            // Says that there is no such stream, rather than nothing.
            show(&session, &arguments.stream).await?;
        }
        context.output.rows(&events)?;
        if page.limit.is_some_and(|limit| events.len() as i64 == limit)
            && let Some(last) = events.last()
        {
            let note = format!("There may be more: --after {}", last.version);
            context.output.note(&note)?;
        }
        return Ok(());
    }
    let mut widths = Vec::new();
    let last = events.last().map_or(arguments.after, |last| last.version);
    for event in &events {
        context.output.row(event, &mut widths)?;
    }
    // The subscription has connections of its own.
    drop(session);
    let prefix = [arguments.stream.clone()];
    let filter = filter(Some(&prefix), arguments.types.as_deref())?;
    let after = u64::try_from(safe).unwrap_or(0);
    let subscribe = Subscribe::after(after.into()).filter(filter);
    // The filter is a prefix, so other streams may match; and the first read may have passed the
    // safe position.
    follow(context, subscribe, |event| {
        match event.stream_id == arguments.stream && event.version > last {
            true => context.output.row(event, &mut widths),
            false => Ok(()),
        }
    })
    .await
}
