//! `eventcore commands`

use clap::{Args, Subcommand};
use eventcore_inspect::commands::{Command, Source, list, show, sources};
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
    let Some(Action::Show { name }) = &arguments.action else {
        return context.output.rows(&list(&session).await?);
    };
    let command = show(&session, name).await?;
    let functions = sources(&session, name).await?;
    let detail = Detail { command, functions };
    let fields = fields(&detail, context.output.show);
    context.output.record(&detail, fields)
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
