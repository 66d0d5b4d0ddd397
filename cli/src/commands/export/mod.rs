//! `eventcore export`

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use eventcore_inspect::export::{Header, events, states};
use eventcore_inspect::import::Line;
use eventcore_inspect::search::Windows;

use super::progress::Progress;
use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore export`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The file to write, a line of JSON for each event [default: stdout]
    file: Option<PathBuf>,
    /// Only events after this position
    #[arg(
        long,
        value_name = "POSITION",
        default_value_t = 0,
        hide_default_value = true
    )]
    after: i64,
    /// Only streams whose name begins with this; may be given several times
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Option<Vec<String>>,
    /// Go on with a file that an earlier export did not finish
    #[arg(long, requires = "file", conflicts_with_all = ["after", "prefixes"])]
    resume: bool,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let (mut header, mut from, file) = match (&arguments.file, arguments.resume) {
        (Some(path), true) => {
            let (header, last, file) = unfinished(path)?;
            (header, last, Some(file))
        }
        (Some(path), false) => {
            let header = Header::new(&session, arguments.after, arguments.prefixes.clone()).await?;
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let file = file.map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    let path = path.display();
                    Failure::Usage(format!("{path} exists: give --resume, or another name"))
                }
                _ => error.into(),
            })?;
            (header, None, Some(file))
        }
        (None, _) => {
            let header = Header::new(&session, arguments.after, arguments.prefixes.clone()).await?;
            (header, None, None)
        }
    };
    let mut out: BufWriter<Box<dyn Write>> = match file {
        Some(file) => BufWriter::with_capacity(1 << 20, Box::new(file)),
        None => BufWriter::with_capacity(1 << 16, Box::new(io::stdout().lock())),
    };
    match from {
        // What has come since the first run goes along.
        Some(_) => {
            let now = Header::new(&session, 0, None).await?;
            if now.database != header.database {
                return Err(Failure::Usage(format!(
                    "the file is of the database {:?}, not of {:?}",
                    header.database, now.database
                )));
            }
            header.safe_position = now.safe_position;
        }
        None => {
            writeln!(out, "{}", serde_json::to_string(&header)?)?;
            from = Some(header.after);
        }
    }
    let from = from.unwrap_or_default();
    let mut progress = Progress::new(context, from, header.safe_position);
    let mut windows = Windows::oldest_first(from, header.safe_position);
    let mut count = 0;
    while let Some(window) = windows.next(&session).await? {
        count += events(&session, window, header.prefixes.as_deref(), &mut out).await?;
        // So that Ctrl-C leaves whole windows in the file.
        out.flush()?;
        progress.at(window.up_to, count)?;
    }
    for state in states(&session, header.prefixes.as_deref()).await? {
        writeln!(out, "{}", serde_json::to_string(&state)?)?;
    }
    out.flush()?;
    progress.finish();
    context.output.note(&format!(
        "exported {count} events up to position {}",
        header.safe_position
    ))
}

/// The header of a file, the position of its last whole event, and the file, cut after that event.
fn unfinished(path: &Path) -> Result<(Header, Option<i64>, File), Failure> {
    let wrong = |line: usize, reason: &dyn std::fmt::Display| {
        let path = path.display();
        Failure::Usage(format!(
            "line {line} of {path} is not that of an export: {reason}"
        ))
    };
    let file = OpenOptions::new().read(true).write(true).open(path);
    let mut file =
        file.map_err(|error| Failure::Usage(format!("cannot open {}: {error}", path.display())))?;
    let mut reader = BufReader::new(&mut file);
    let mut text = String::new();
    let mut length = reader.read_line(&mut text)?;
    let header: Header = serde_json::from_str(&text).map_err(|error| wrong(1, &error))?;
    let mut last = header.after;
    for number in 2.. {
        text.clear();
        let read = reader.read_line(&mut text)?;
        if read == 0 || !text.ends_with('\n') {
            break;
        }
        match text
            .parse()
            .map_err(|error: serde_json::Error| wrong(number, &error))?
        {
            Line::Event(event) => last = event.position,
            // They are written again at the end.
            Line::State(_) => break,
        }
        length += read;
    }
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length))?;
    Ok((header, Some(last), file))
}
