//! `eventcore commands`

use clap::{Args, Subcommand};
use eventcore_inspect::commands::{Command, Source, list, show, sources, state};
use eventcore_inspect::since::Duration;
use eventcore_inspect::{Error, ErrorKind, Session, streams};
use schemars::JsonSchema;
use serde::Serialize;

use super::rows::indented;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, left, maybe, right};

/// The arguments of `eventcore commands`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show one, with the source of its functions
    Show {
        /// The command
        name: String,
    },
    /// Show the state of a stream, folded by the command's apply
    State {
        /// The command
        name: String,
        /// The stream
        stream: String,
        /// The last version in the state [default: that of the stream]
        #[arg(long, value_name = "VERSION")]
        at: Option<i64>,
        /// How long to fold; it fails when the time is up
        #[arg(long, value_name = "TIME", default_value = "1m")]
        timeout: Duration,
    },
}

impl Row for Command {
    fn columns() -> Vec<Column> {
        vec![
            left("COMMAND"),
            left("HANDLE"),
            left("APPLY"),
            left("STREAMS"),
            right("SNAPSHOT EVERY"),
            left("CHANGED"),
        ]
    }

    fn cells(&self, show: Show) -> Vec<String> {
        let streams = self.streams.iter().flatten();
        let streams: Vec<&str> = streams.map(String::as_str).collect();
        vec![
            self.name.clone(),
            self.handle.clone(),
            self.apply.clone(),
            match &self.streams_function {
                Some(function) => function.clone(),
                None => streams.join(", "),
            },
            self.snapshot_every.to_string(),
            show.time(self.changed_at),
        ]
    }
}

/// A command and its functions.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Detail {
    #[serde(flatten)]
    command: Command,
    functions: Vec<Source>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let name = match &arguments.action {
        None => return context.output.rows(&list(&session).await?),
        Some(Action::Show { name }) => name,
        Some(Action::State {
            name,
            stream,
            at,
            timeout,
        }) => {
            let of = (name.as_str(), stream.as_str());
            return show_state(&session, of, *at, *timeout, context).await;
        }
    };
    let command = show(&session, name).await?;
    let functions = sources(&session, name).await?;
    let detail = Detail { command, functions };
    let fields = fields(&detail, context.output.show);
    context.output.record(&detail, fields)
}

async fn show_state(
    session: &Session,
    (name, stream): (&str, &str),
    at: Option<i64>,
    timeout: Duration,
    context: &Context,
) -> Result<(), Failure> {
    let found = state(session, name, stream, at, timeout.0).await?;
    if found.version == 0 && at != Some(0) {
        // Says that there is no such stream, rather than the state before its first event.
        streams::show(session, stream).await?;
    }
    if !found.is_complete {
        let message = format!(
            "the first {} events of {stream:?} took {} s to fold",
            found.events,
            timeout.0.as_secs_f64()
        );
        let hint = "Give a longer --timeout, or an earlier --at.";
        return Err(Error::new(ErrorKind::Failed, message)
            .with_hint(hint)
            .into());
    }
    let fields = vec![
        ("command", found.command.clone()),
        ("stream", found.stream_id.clone()),
        ("version", found.version.to_string()),
        ("events", found.events.to_string()),
        ("state", indented(&found.state)),
    ];
    context.output.record(&found, fields)
}

fn fields(detail: &Detail, show: Show) -> Vec<(&str, String)> {
    let of = &detail.command;
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(", "));
    let mut fields = vec![
        ("command", of.name.clone()),
        ("streams", maybe(list(&of.streams))),
        ("checked streams", maybe(list(&of.checked_streams))),
        (
            "required fields",
            of.required_fields
                .as_deref()
                .map(indented)
                .unwrap_or_default(),
        ),
        ("initial state", indented(&of.initial_state)),
        ("max attempts", of.max_attempts.to_string()),
        ("snapshot every", of.snapshot_every.to_string()),
        ("changed", show.time(of.changed_at)),
        ("settings", of.settings.join("\n")),
    ];
    for source in &detail.functions {
        let definition = source.definition.clone();
        let definition =
            definition.unwrap_or_else(|| format!("{} does not exist", source.signature));
        fields.push((source.part.as_str(), definition));
    }
    fields
}
