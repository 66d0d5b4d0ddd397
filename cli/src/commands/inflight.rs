//! `eventcore inflight`

use clap::Args;
use eventcore_inspect::actions::terminate;
use eventcore_inspect::inflight::{InFlight, list};
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, flag, left, maybe, right, seconds};

/// The arguments of `eventcore inflight`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// End the session of this process, if it is in flight: what it appended is rolled back
    #[arg(long, value_name = "PID")]
    terminate: Option<i32>,
}

impl Row for InFlight {
    fn columns() -> Vec<Column> {
        vec![
            right("PID"),
            left("HOLDS READERS"),
            left("AGE"),
            right("LOWEST POSITION"),
            left("HOLDER"),
            left("STATE"),
            left("WAITS FOR"),
            left("ROLE"),
            left("APPLICATION"),
            left("QUERY"),
        ]
    }

    fn cells(&self, _: Show) -> Vec<String> {
        let event = [&self.wait_event_type, &self.wait_event];
        let event: Vec<&str> = event.into_iter().flatten().map(String::as_str).collect();
        vec![
            maybe(self.pid),
            flag(self.holds_safe_position),
            self.age_seconds.map(seconds).unwrap_or_default(),
            self.lowest_position.to_string(),
            self.holder.clone(),
            maybe(self.state.as_ref()),
            event.join(" "),
            maybe(self.usename.as_ref()),
            maybe(self.application_name.as_ref()),
            maybe(self.query.as_ref()),
        ]
    }
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {
    pid: i32,
    done: &'static str,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let Some(pid) = arguments.terminate else {
        let session = context.reader().await?;
        return context.output.rows(&list(&session).await?);
    };
    context
        .confirm(&format!(
            "the session of process {pid} is ended, and what it appended is rolled back"
        ))
        .await?;
    let session = context.writer().await?;
    terminate(&session, pid).await?;
    let done = Done {
        pid,
        done: "terminated",
    };
    context
        .output
        .done(&format!("the session of process {pid} is ended"), &done)
}
