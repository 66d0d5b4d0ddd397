//! Where an export goes: stdout, or a file that is compressed or not.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use eventcore_inspect::Session;
use eventcore_inspect::export::events;
use eventcore_inspect::search::Window;
use serde::Serialize;
use zstd::stream::write::Encoder;

use crate::failure::Failure;

/// The level of `zstd` without an option.
const LEVEL: i32 = 3;

/// Where an export goes. What was written by one call is in the file as a whole, or is cut off when
/// the export goes on after an interruption.
pub(super) enum Sink {
    Plain(Box<dyn Write + Send>),
    /// Each call writes a frame, so that a file that is cut can be read up to its last whole frame.
    Compressed(BufWriter<File>),
}

impl Sink {
    pub(super) fn stdout() -> Self {
        Self::Plain(Box::new(BufWriter::with_capacity(1 << 16, io::stdout())))
    }

    pub(super) fn file(file: File, is_compressed: bool) -> Self {
        let file = BufWriter::with_capacity(1 << 20, file);
        match is_compressed {
            true => Self::Compressed(file),
            false => Self::Plain(Box::new(file)),
        }
    }

    /// Writes the events of a window; returns how many, and where the next go.
    pub(super) async fn window(
        self,
        session: &Session,
        window: Window,
        prefixes: Option<&[String]>,
    ) -> Result<(u64, Self), Failure> {
        match self {
            Self::Plain(out) => {
                let (count, mut out) = events(session, window, prefixes, out).await?;
                out.flush()?;
                Ok((count, Self::Plain(out)))
            }
            Self::Compressed(out) => {
                let frame = Encoder::new(out, LEVEL)?;
                let (count, frame) = events(session, window, prefixes, frame).await?;
                let mut out = frame.finish()?;
                out.flush()?;
                Ok((count, Self::Compressed(out)))
            }
        }
    }

    /// Writes a line for each of these.
    pub(super) fn lines<'a, T: Serialize + 'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a T>,
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        match self {
            Self::Plain(out) => {
                out.write_all(&text)?;
                Ok(out.flush()?)
            }
            Self::Compressed(out) => {
                out.write_all(&zstd::encode_all(text.as_slice(), LEVEL)?)?;
                Ok(out.flush()?)
            }
        }
    }
}
