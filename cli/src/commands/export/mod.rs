//! `eventcore export`

mod sink;
mod unfinished;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use eventcore_inspect::Session;
use eventcore_inspect::export::{Header, states};
use eventcore_inspect::search::Windows;

use self::sink::Sink;
use self::unfinished::{Unfinished, unfinished};
use super::progress::Progress;
use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore export`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The file to write, a line of JSON for each event; compressed if its name ends in .zst
    /// [default: stdout]
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
    let (header, from, mut sink) = match &arguments.file {
        Some(path) if arguments.resume => go_on(&session, path).await?,
        file => {
            let prefixes = arguments.prefixes.clone();
            let header = Header::new(&session, arguments.after, prefixes).await?;
            let mut sink = match file {
                Some(path) => Sink::file(new_file(path)?, is_compressed(path)),
                None => Sink::stdout(),
            };
            sink.lines([&header])?;
            (header, arguments.after, sink)
        }
    };
    let prefixes = header.prefixes.as_deref();
    let mut progress = Progress::new(context, from, header.safe_position);
    let mut windows = Windows::oldest_first(from, header.safe_position);
    let mut count = 0;
    while let Some(window) = windows.next(&session).await? {
        let (written, next) = sink.window(&session, window, prefixes).await?;
        sink = next;
        count += written;
        progress.at(window.up_to, count)?;
    }
    sink.lines(&states(&session, prefixes).await?)?;
    progress.finish();
    context.output.note(&format!(
        "exported {count} events up to position {}",
        header.safe_position
    ))
}

/// Whether the file with this name is compressed.
fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

fn new_file(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let path = path.display();
            Failure::Usage(format!("{path} exists: give --resume, or another name"))
        }
        _ => error.into(),
    })
}

/// An export that goes on, up to where the database is now.
async fn go_on(session: &Session, path: &Path) -> Result<(Header, i64, Sink), Failure> {
    let Unfinished {
        mut header,
        last,
        file,
    } = unfinished(path, is_compressed(path))?;
    let now = Header::new(session, 0, None).await?;
    if now.database != header.database {
        return Err(Failure::Usage(format!(
            "the file is of the database {:?}, not of {:?}",
            header.database, now.database
        )));
    }
    header.safe_position = now.safe_position;
    Ok((header, last, Sink::file(file, is_compressed(path))))
}
