//! `eventcore execute`

use clap::Args;
use eventcore_inspect::execute::{Call, Executed, dry_run, execute};
use uuid::Uuid;

use super::input::json;
use crate::arguments::Format;
use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore execute`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The command
    command: String,
    /// Its input: JSON, @FILE, or - for stdin
    #[arg(default_value = "{}")]
    input: String,
    /// The same command with the same key is executed once
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The operation that it belongs to
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
    /// What causes it
    #[arg(long, value_name = "ID")]
    causation: Option<Uuid>,
    /// An object that is added to the metadata of each event: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Show what it would write, and roll it back
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let metadata = arguments.metadata.as_deref();
    let call = Call {
        command: arguments.command.clone(),
        input: json(&arguments.input, "the input")?,
        correlation: arguments.correlation,
        causation: arguments.causation,
        key: arguments.key.clone(),
        metadata: metadata
            .map(|text| json(text, "the metadata"))
            .transpose()?,
    };
    let session = context.writer().await?;
    let executed = match arguments.dry_run {
        true => dry_run(&session, &call).await?,
        false => execute(&session, &call).await?,
    };
    if context.output.format == Format::Table && !executed.events.is_empty() {
        context.output.rows(&executed.events)?;
    }
    context.output.done(&words(&executed), &executed)
}

fn words(executed: &Executed) -> String {
    let what = match (
        executed.is_dry_run,
        executed.repeated,
        executed.last_position,
    ) {
        (true, _, Some(_)) => "would be executed; rolled back".to_owned(),
        (true, _, None) => "would write nothing; rolled back".to_owned(),
        (false, true, _) => "was executed before, with this key".to_owned(),
        (false, false, Some(position)) => format!("executed, at position {position}"),
        (false, false, None) => "executed, and wrote nothing".to_owned(),
    };
    let streams: Vec<String> = executed
        .streams
        .iter()
        .map(|stream| format!("{} at version {}", stream.stream_id, stream.version))
        .collect();
    format!("{what}: {}", streams.join(", "))
}
