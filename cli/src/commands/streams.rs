//! `eventcore streams`

use std::time::Duration;

use clap::Args;
use eventcore_inspect::streams::{StreamFilter, StreamSummary, containing, list};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, left, maybe, right};

/// The arguments of `eventcore streams`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only streams whose name begins with this, byte by byte
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only streams whose name contains this; looks at all of them until the time is up
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// How long to look for --contains, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        requires = "contains"
    )]
    longest: u64,
    /// The most streams to list [default: a screen on a terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Only streams after this one: the last one of the page before
    #[arg(long, value_name = "STREAM")]
    after: Option<String>,
}

/// How many streams one statement lists.
const PAGE: i64 = 5_000;

impl Row for StreamSummary {
    fn columns() -> Vec<Column> {
        vec![
            left("STREAM"),
            right("VERSION"),
            left("STATE"),
            left("LAST EVENT"),
            left("RECORDED"),
            right("POSITION"),
        ]
    }

    fn cells(&self, show: Show) -> Vec<String> {
        vec![
            self.stream_id.clone(),
            self.version.to_string(),
            self.state.clone(),
            maybe(self.last_event_type.as_ref()),
            show.maybe_time(self.last_recorded_at),
            maybe(self.last_position),
        ]
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let filter = StreamFilter {
        prefix: arguments.prefix.clone(),
        after: arguments.after.clone(),
    };
    let limit = context.output.limit(arguments.limit);
    let (streams, next) = match &arguments.contains {
        Some(text) => {
            let longest = Duration::from_secs(arguments.longest);
            let limit = limit.unwrap_or(usize::MAX);
            let found = containing(&session, &filter, text, limit, longest).await?;
            (found.streams, found.next)
        }
        None => {
            let mut filter = filter;
            let mut streams: Vec<StreamSummary> = Vec::new();
            loop {
                let left = limit.map_or(usize::MAX, |limit| limit - streams.len());
                let page = i64::try_from(left).unwrap_or(PAGE).min(PAGE);
                let listed = list(&session, &filter, page).await?;
                let is_last = i64::try_from(listed.len()).is_ok_and(|length| length < page);
                filter.after = listed.last().map(|last| last.stream_id.clone());
                streams.extend(listed);
                if is_last || limit.is_some_and(|limit| streams.len() >= limit) {
                    let next = filter.after.filter(|_| !is_last);
                    break (streams, next);
                }
            }
        }
    };
    context.output.rows(&streams)?;
    if let Some(next) = next {
        context
            .output
            .note(&format!("There may be more: --after {}", quoted(&next)))?;
    }
    Ok(())
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
