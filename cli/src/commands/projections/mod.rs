//! `eventcore projections`

mod resume;
mod wait;

use clap::{Args, Subcommand};
use eventcore_inspect::actions::{ProjectionAction, change_projection};
use eventcore_inspect::projections::{Projection, list, show};
use eventcore_inspect::since::Duration;
use schemars::JsonSchema;
use serde::Serialize;

use super::held::remark;
use super::rows::{filter, lag};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, left, maybe, right, seconds};
pub(crate) use wait::Waited;
use wait::wait_for;

/// The arguments of `eventcore projections`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show one
    Show {
        /// The projection
        name: String,
    },
    /// Stop its worker after the batch at hand
    Pause {
        /// The projection
        name: String,
    },
    /// End a pause, or try a failed event again
    Resume {
        /// The projection
        name: String,
    },
    /// Empty its tables and begin again
    Rebuild {
        /// The projection
        name: String,
        /// Fill other tables first, and exchange them when they have caught up
        #[arg(long)]
        shadow: bool,
        /// Wait until it shows everything; Ctrl-C ends the wait, and the rebuild goes on
        #[arg(long)]
        wait: bool,
        /// How long to wait, such as 10m [default: until it is done]
        #[arg(long, value_name = "TIME", requires = "wait")]
        timeout: Option<Duration>,
    },
    /// Wait until it has reached a position
    Wait {
        /// The projection
        name: String,
        /// The position [default: that of the last event now]
        #[arg(long, value_name = "POSITION")]
        position: Option<i64>,
        /// How long to wait, such as 30s; it fails when the time is up [default: until it is there]
        #[arg(long, value_name = "TIME")]
        timeout: Option<Duration>,
    },
    /// Remove it; its tables stay
    Drop {
        /// The projection
        name: String,
    },
}

impl Row for Projection {
    fn columns() -> Vec<Column> {
        vec![
            left("PROJECTION"),
            left("MODE"),
            left("STATUS"),
            right("POSITIONS BEHIND"),
            left("TIME BEHIND"),
            right("CHECKPOINT"),
            right("WORKER"),
            left("WAITS FOR"),
            right("ATTEMPTS"),
            right("SKIPPED"),
            right("PARKED"),
            left("LAST ERROR"),
        ]
    }

    fn cells(&self, _: Show) -> Vec<String> {
        vec![
            self.name.clone(),
            self.mode.clone(),
            self.status.clone(),
            self.lag_events.to_string(),
            seconds(self.lag_seconds),
            self.checkpoint.to_string(),
            maybe(self.worker_pid),
            maybe(self.waits_for.as_ref()),
            self.attempts.to_string(),
            self.skipped.to_string(),
            self.parked.to_string(),
            maybe(self.last_error.as_ref()),
        ]
    }
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done<'a> {
    projection: &'a str,
    done: &'a str,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let Some(action) = &arguments.action else {
        let session = context.reader().await?;
        context.output.rows(&list(&session).await?)?;
        return remark(&session, context).await;
    };
    match action {
        Action::Show { name } => {
            let session = context.reader().await?;
            let projection = show(&session, name).await?;
            let fields = fields(&projection, context.output.show);
            context.output.record(&projection, fields)?;
            remark(&session, context).await
        }
        Action::Pause { name } => change(name, ProjectionAction::Pause, "paused", context).await,
        Action::Resume { name } => {
            let session = context.writer().await?;
            resume::resume(&session, name).await?;
            say(name, "resumed", context)
        }
        Action::Wait {
            name,
            position,
            timeout,
        } => {
            let session = context.reader().await?;
            let waited = wait_for(&session, name, *position, *timeout, context).await?;
            let words = format!("projection {name:?} is at position {}", waited.checkpoint);
            context.output.done(&words, &waited)
        }
        Action::Rebuild {
            name,
            shadow,
            wait,
            timeout,
        } => {
            if !shadow {
                context
                    .confirm(&format!(
                        "the tables of projection {name:?} are emptied and filled again"
                    ))
                    .await?;
            }
            let action = ProjectionAction::Rebuild {
                with_shadow: *shadow,
            };
            if !wait {
                return change(name, action, "being rebuilt", context).await;
            }
            let session = context.writer().await?;
            wait::rebuild(&session, name, *shadow, *timeout, context).await?;
            say(name, "rebuilt", context)
        }
        Action::Drop { name } => {
            context
                .confirm(&format!(
                    "projection {name:?} is removed with its checkpoint; its tables stay"
                ))
                .await?;
            change(name, ProjectionAction::Drop, "dropped", context).await
        }
    }
}

async fn change(
    name: &str,
    action: ProjectionAction,
    done: &str,
    context: &Context,
) -> Result<(), Failure> {
    let session = context.writer().await?;
    change_projection(&session, name, action).await?;
    say(name, done, context)
}

fn say(name: &str, done: &str, context: &Context) -> Result<(), Failure> {
    let thing = Done {
        projection: name,
        done,
    };
    context
        .output
        .done(&format!("projection {name:?} is {done}"), &thing)
}

fn fields(of: &Projection, show: Show) -> Vec<(&'static str, String)> {
    vec![
        ("projection", of.name.clone()),
        ("mode", of.mode.clone()),
        ("status", of.status.clone()),
        ("owner", maybe(of.owner.as_ref())),
        ("checkpoint", of.checkpoint.to_string()),
        ("safe position", of.safe_position.to_string()),
        ("lag", lag(of.lag_events, of.lag_seconds)),
        ("worker", maybe(of.worker_pid)),
        ("waits for", maybe(of.waits_for.as_ref())),
        ("attempts", of.attempts.to_string()),
        ("retry at", show.maybe_time(of.retry_at)),
        ("skipped", of.skipped.to_string()),
        ("parked", of.parked.to_string()),
        ("oldest parked at", show.maybe_time(of.oldest_parked_at)),
        ("last error", maybe(of.last_error.as_ref())),
        ("last SQLSTATE", maybe(of.last_sqlstate.as_ref())),
        ("failed at position", maybe(of.last_error_position)),
        ("last error at", show.maybe_time(of.last_error_at)),
        ("handler", of.handler.clone()),
        ("prefixes", filter(of.stream_prefixes.as_deref())),
        ("types", filter(of.event_types.as_deref())),
        ("batch size", of.batch_size.to_string()),
        ("on error", of.on_error.clone()),
        ("retry limit", of.retry_limit.to_string()),
        ("created", show.time(of.created_at)),
        ("rebuilds", maybe(of.rebuilds.as_ref())),
        ("shadow schema", maybe(of.shadow_schema.as_ref())),
        ("rebuilt at", show.maybe_time(of.rebuilt_at)),
    ]
}
