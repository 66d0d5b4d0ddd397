//! `eventcore import`

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use eventcore_inspect::Session;
use eventcore_inspect::export::{Header, StreamState};
use eventcore_inspect::import::{
    ExportedEvent, Line, append_again, appendable, last_event, restore, restore_state,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::progress::Progress;
use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore import`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A file that `eventcore export` has written, compressed or not
    file: PathBuf,
    /// Into an empty store: positions, times and ids stay as they were
    #[arg(long, group = "way", required_unless_present_any = ["append", "check"])]
    restore: bool,
    /// Into any store: positions and times are new
    #[arg(long, group = "way")]
    append: bool,
    /// Only read the file and say what is in it
    #[arg(long)]
    check: bool,
}

/// How many events are written in one transaction.
const BATCH: usize = 10_000;

/// How many bytes of payloads and metadata the events of a transaction have, unless the last event
/// has more.
const BATCH_BYTES: usize = 64 << 20;

/// What a file holds, or what was done with it.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Summary {
    events: u64,
    /// Events that an earlier run had written.
    repeated: u64,
    streams: u64,
    closed_streams: u64,
    first_position: Option<i64>,
    last_position: Option<i64>,
}

/// The lines of an export, one by one, each checked against those before.
struct Lines {
    path: PathBuf,
    lines: std::io::Lines<Box<dyn BufRead>>,
    number: usize,
    last_position: i64,
    /// The version of each stream so far.
    versions: HashMap<String, i64>,
}

impl Lines {
    fn open(path: &Path) -> Result<(Header, Self), Failure> {
        let cannot = |error| Failure::Usage(format!("cannot read {}: {error}", path.display()));
        let lines = open(path).map_err(cannot)?.lines();
        let mut opened = Self {
            path: path.to_owned(),
            lines,
            number: 1,
            last_position: 0,
            versions: HashMap::new(),
        };
        let first = opened.lines.next().transpose();
        let first = first
            .map_err(|error| opened.wrong(&error))?
            .unwrap_or_default();
        let header: Header = serde_json::from_str(&first).map_err(|error| opened.wrong(&error))?;
        if header.eventcore_export != 1 {
            return Err(opened.wrong(&"its format is of a later version"));
        }
        opened.last_position = header.after;
        Ok((header, opened))
    }

    fn wrong(&self, reason: &dyn std::fmt::Display) -> Failure {
        let (number, path) = (self.number, self.path.display());
        Failure::Usage(format!("line {number} of {path}: {reason}"))
    }

    fn next(&mut self) -> Result<Option<Line>, Failure> {
        self.number += 1;
        let line = self.lines.next().transpose();
        // Not only what is no text: a compressed file may be cut.
        let Some(line) = line.map_err(|error| self.wrong(&error))? else {
            return Ok(None);
        };
        let line: Line = line
            .parse()
            .map_err(|error: serde_json::Error| self.wrong(&error))?;
        if let Line::Event(event) = &line {
            self.check(event)?;
        }
        Ok(Some(line))
    }

    fn check(&mut self, event: &ExportedEvent) -> Result<(), Failure> {
        if event.position <= self.last_position {
            return Err(self.wrong(&"its position is not above the one before"));
        }
        self.last_position = event.position;
        match self.versions.get_mut(&event.stream_id) {
            Some(version) if event.version != *version + 1 => {
                let reason = format!("version {} follows {version} in its stream", event.version);
                Err(self.wrong(&reason))
            }
            Some(version) => {
                *version = event.version;
                Ok(())
            }
            None => {
                self.versions.insert(event.stream_id.clone(), event.version);
                Ok(())
            }
        }
    }
}

/// What every zstd frame begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Opens a file, and decompresses it if it is compressed.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    match file.fill_buf()?.starts_with(&ZSTD) {
        true => {
            let plain = zstd::stream::read::Decoder::with_buffer(file)?;
            Ok(Box::new(BufReader::with_capacity(1 << 20, plain)))
        }
        false => Ok(Box::new(file)),
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let (header, mut lines) = Lines::open(&arguments.file)?;
    let mut summary = Summary::default();
    if arguments.check {
        while let Some(line) = lines.next()? {
            summary.add(&line);
        }
    } else {
        let session = context.writer().await?;
        let way = match arguments.restore {
            true => Way::Restore,
            false => Way::Append,
        };
        let mut progress = Progress::new(context, header.after, header.safe_position);
        write(&session, &mut lines, way, &mut summary, &mut progress).await?;
        progress.finish();
    }
    summary.streams = u64::try_from(lines.versions.len()).unwrap_or(u64::MAX);
    let done = match (arguments.check, arguments.restore) {
        (true, _) => "found",
        (false, true) => "restored",
        (false, false) => "appended",
    };
    let repeated = match summary.repeated {
        0 => String::new(),
        repeated => format!(", {repeated} of them by an earlier run"),
    };
    let words = format!(
        "{done} {} events in {} streams{repeated}",
        summary.events, summary.streams
    );
    context.output.done(&words, &summary)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Restore,
    Append,
}

async fn write(
    session: &Session,
    lines: &mut Lines,
    way: Way,
    summary: &mut Summary,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let done_to = match way {
        Way::Restore => last_event(session).await?,
        Way::Append => None,
    };
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let mut states: Vec<StreamState> = Vec::new();
    // Whether the last event of the store was seen in the file, or there is none.
    let mut is_known = done_to.is_none();
    while let Some(line) = lines.next()? {
        summary.add(&line);
        match line {
            Line::State(state) => states.push(state),
            Line::Event(event) => {
                if let Some((position, id)) = done_to
                    && event.position <= position
                {
                    is_known |= event.position == position && event.event_id == id;
                    summary.repeated += 1;
                    continue;
                }
                bytes += event.size();
                batch.push(*event);
            }
        }
        if !is_known {
            return Err(not_empty());
        }
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            flush(session, &mut batch, way, summary).await?;
            bytes = 0;
            progress.at(lines.last_position, summary.events)?;
        }
    }
    if !is_known {
        return Err(not_empty());
    }
    flush(session, &mut batch, way, summary).await?;
    if way == Way::Restore {
        for state in &states {
            restore_state(session, state).await?;
        }
    }
    Ok(())
}

fn not_empty() -> Failure {
    Failure::Usage(
        "the store has events, and the last of them is not in the file: --restore goes into an empty store, or goes on \
         with what an earlier run has not finished"
            .to_owned(),
    )
}

async fn flush(
    session: &Session,
    batch: &mut Vec<ExportedEvent>,
    way: Way,
    summary: &mut Summary,
) -> Result<(), Failure> {
    if way == Way::Restore {
        if !batch.is_empty() {
            restore(session, batch).await?;
        }
        batch.clear();
        return Ok(());
    }
    let mut left = batch.as_slice();
    while !left.is_empty() {
        let (now, later) = left.split_at(appendable(left));
        let repeated = append_again(session, now).await?;
        summary.repeated += u64::try_from(repeated).unwrap_or(u64::MAX);
        left = later;
    }
    batch.clear();
    Ok(())
}

impl Summary {
    fn add(&mut self, line: &Line) {
        match line {
            Line::State(_) => self.closed_streams += 1,
            Line::Event(event) => {
                self.events += 1;
                self.first_position = self.first_position.or(Some(event.position));
                self.last_position = Some(event.position);
            }
        }
    }
}
