//! `eventcore append`

use std::io::{BufRead, BufReader, Read};

use clap::Args;
use eventcore_inspect::append::{Declared, NewEvent, append};
use uuid::Uuid;

use super::input::json;
use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore append`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The stream
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    stream: Option<String>,
    /// What happened
    #[arg(
        value_name = "TYPE",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    event_type: Option<String>,
    /// Its data: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", default_value = "{}")]
    payload: String,
    /// Data about it: a JSON object, @FILE, or - for stdin
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Its id, by which a repeated append is recognised
    #[arg(long, value_name = "ID", conflicts_with = "from")]
    id: Option<Uuid>,
    /// What the stream has to be: a version, `new` (no event yet), `exists`, or `any`; with --from
    /// STREAM=VERSION, for each stream
    #[arg(long, value_name = "VERSION")]
    expect: Vec<String>,
    /// The operation that it belongs to
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
    /// What causes it
    #[arg(long, value_name = "ID")]
    causation: Option<Uuid>,
    /// Append all events of a file, or - for stdin, at once: {"stream", "type", "payload",
    /// "metadata"?, "id"?} on each line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["payload", "metadata"])]
    from: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let (declared, events) = match &arguments.from {
        Some(file) => {
            let events = events_of(file)?;
            (declared_of(&events, &arguments.expect)?, events)
        }
        None => one(arguments)?,
    };
    let session = context.writer().await?;
    let appended = append(
        &session,
        &declared,
        &events,
        arguments.correlation,
        arguments.causation,
    )
    .await?;
    let streams = appended.streams.iter();
    let streams: Vec<String> = streams
        .map(|stream| format!("{} is at version {}", stream.stream_id, stream.version))
        .collect();
    let what = match (appended.repeated, appended.last_position) {
        (true, Some(position)) => format!("repeated, at position {position}"),
        (_, Some(position)) => format!("appended at position {position}"),
        (_, None) => "checked".to_owned(),
    };
    context
        .output
        .done(&format!("{what}: {}", streams.join(", ")), &appended)
}

fn one(arguments: &Arguments) -> Result<(Vec<Declared>, Vec<NewEvent>), Failure> {
    let stream = arguments.stream.clone().unwrap_or_default();
    let expected = match arguments.expect.as_slice() {
        [] => None,
        [expected] => expectation(expected)?,
        _ => return Err(Failure::Usage("--expect is given twice".to_owned())),
    };
    let metadata = arguments.metadata.as_deref();
    let event = NewEvent {
        stream: stream.clone(),
        event_type: arguments.event_type.clone().unwrap_or_default(),
        payload: json(&arguments.payload, "the payload")?,
        metadata: metadata
            .map(|text| json(text, "the metadata"))
            .transpose()?,
        id: arguments.id,
    };
    Ok((vec![Declared { stream, expected }], vec![event]))
}

/// The expected version as `eventcore_append` takes it.
fn expectation(text: &str) -> Result<Option<i64>, Failure> {
    match text {
        "any" => Ok(None),
        "new" => Ok(Some(0)),
        "exists" => Ok(Some(-1)),
        number => match number.parse() {
            Ok(version @ 0..) => Ok(Some(version)),
            _ => Err(Failure::Usage(format!(
                "--expect is {number:?}, not a version, `new`, `exists` or `any`"
            ))),
        },
    }
}

fn events_of(file: &str) -> Result<Vec<NewEvent>, Failure> {
    let input: Box<dyn Read> = match file {
        "-" => Box::new(std::io::stdin()),
        file => {
            let opened = std::fs::File::open(file);
            let opened =
                opened.map_err(|error| Failure::Usage(format!("cannot read {file}: {error}")))?;
            Box::new(opened)
        }
    };
    let mut events = Vec::new();
    for (number, line) in BufReader::new(input).lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let event = serde_json::from_str(&line).map_err(|error| {
            Failure::Usage(format!(
                "line {} of {file} is no event: {error}",
                number + 1
            ))
        })?;
        events.push(event);
    }
    Ok(events)
}

/// The streams of the events, and those that only `--expect` names.
fn declared_of(events: &[NewEvent], expect: &[String]) -> Result<Vec<Declared>, Failure> {
    let mut declared: Vec<Declared> = Vec::new();
    for text in expect {
        let Some((stream, expected)) = text.rsplit_once('=') else {
            let message = format!("--expect is {text:?}, not STREAM=VERSION");
            return Err(Failure::Usage(message));
        };
        declared.push(Declared {
            stream: stream.to_owned(),
            expected: expectation(expected)?,
        });
    }
    for event in events {
        if !declared.iter().any(|known| known.stream == event.stream) {
            declared.push(Declared {
                stream: event.stream.clone(),
                expected: None,
            });
        }
    }
    Ok(declared)
}
