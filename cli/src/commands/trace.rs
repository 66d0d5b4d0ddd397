//! `eventcore trace`

use clap::Args;
use eventcore_inspect::trace::{INDEX, by_correlation};
use eventcore_inspect::{Error, Event};
use uuid::Uuid;

use super::event::EventName;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, left, maybe, right};

/// The arguments of `eventcore trace`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The correlation id
    #[arg(required_unless_present = "event")]
    correlation: Option<Uuid>,
    /// Any event of the operation, by its position or id; looks around it
    #[arg(long, value_name = "POSITION|ID")]
    event: Option<EventName>,
    /// The most events to show
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Without an index: look at all events, however long it takes
    #[arg(long)]
    thorough: bool,
}

/// How many windows of 100,000 positions to look through.
const WINDOWS: usize = 100;

/// A step of a trace, with what caused it.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Step<'a>(&'a Event);

impl Row for Step<'_> {
    fn columns() -> Vec<Column> {
        vec![
            right("POSITION"),
            left("RECORDED"),
            left("STREAM"),
            right("VERSION"),
            left("TYPE"),
            left("EVENT ID"),
            left("CAUSATION ID"),
        ]
    }

    fn cells(&self, show: Show) -> Vec<String> {
        vec![
            self.0.position.to_string(),
            show.time(self.0.recorded_at),
            self.0.stream_id.clone(),
            self.0.version.to_string(),
            self.0.event_type.clone(),
            self.0.event_id.to_string(),
            maybe(self.0.causation_id),
        ]
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let mut correlation = arguments.correlation;
    let mut near = None;
    if let Some(name) = arguments.event {
        let event = name.find(&session, arguments.thorough).await?;
        near = Some(event.position);
        correlation = correlation.or(event.correlation_id);
    }
    let correlation =
        correlation.ok_or_else(|| Error::not_found("this event has no correlation id"))?;
    let windows = match arguments.thorough {
        true => usize::MAX,
        false => WINDOWS,
    };
    let found = by_correlation(&session, correlation, near, arguments.limit, windows).await?;
    let searched = found.searched;
    if found.events.is_empty() && searched.is_complete {
        let message = format!("no event has the correlation id {correlation}");
        return Err(Error::not_found(message).into());
    }
    let steps: Vec<Step<'_>> = found.events.iter().map(Step).collect();
    context.output.rows_of(&steps, &found)?;
    if !searched.is_complete && !searched.used_index {
        context.output.note(&format!(
            "Only the positions {} to {} were searched: --thorough searches all. This index makes it quick: {INDEX}",
            searched.after + 1,
            searched.up_to
        ))?;
    } else if !searched.is_complete {
        context.output.note("There may be more: raise --limit")?;
    }
    Ok(())
}
