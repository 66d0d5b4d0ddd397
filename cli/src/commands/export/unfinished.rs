//! A file that an earlier export has not finished: what is in it, and where it can go on.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use eventcore_inspect::export::Header;
use eventcore_inspect::import::Line;
use zstd::stream::raw::{Decoder, Operation};

use crate::failure::Failure;

/// An unfinished export, cut after its last whole event.
pub(super) struct Unfinished {
    pub(super) header: Header,
    /// The position of that event.
    pub(super) last: i64,
    /// The file, at its end.
    pub(super) file: File,
}

/// Opens the file of an unfinished export.
pub(super) fn unfinished(path: &Path, is_compressed: bool) -> Result<Unfinished, Failure> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let mut file = opened
        .map_err(|error| Failure::Usage(format!("cannot open {}: {error}", path.display())))?;
    let mut reading = Reading {
        path,
        header: None,
        last: 0,
        number: 0,
    };
    let found = match is_compressed {
        true => whole_frames(&mut file, &mut reading)?,
        false => whole_lines(&mut file, &mut reading)?,
    };
    let Some(header) = reading.header.take() else {
        reading.number = 1;
        return Err(reading.wrong(&"it has no header"));
    };
    file.set_len(found.length)?;
    file.seek(SeekFrom::Start(found.length))?;
    Ok(Unfinished {
        header,
        last: found.last,
        file,
    })
}

/// The part of a file that stays.
#[derive(Default)]
struct Whole {
    length: u64,
    /// The position of its last event.
    last: i64,
}

/// The lines so far.
struct Reading<'a> {
    path: &'a Path,
    header: Option<Header>,
    last: i64,
    number: usize,
}

impl Reading<'_> {
    /// Takes a line. False: the events have ended, and what follows is written again.
    fn line(&mut self, text: &[u8]) -> Result<bool, Failure> {
        self.number += 1;
        let text = std::str::from_utf8(text).map_err(|error| self.wrong(&error))?;
        if self.header.is_none() {
            let header: Header = serde_json::from_str(text).map_err(|error| self.wrong(&error))?;
            self.last = header.after;
            self.header = Some(header);
            return Ok(true);
        }
        let line = text
            .parse()
            .map_err(|error: serde_json::Error| self.wrong(&error))?;
        match line {
            Line::Event(event) => {
                self.last = event.position;
                Ok(true)
            }
            Line::State(_) => Ok(false),
        }
    }

    fn wrong(&self, reason: &dyn Display) -> Failure {
        let (number, path) = (self.number, self.path.display());
        Failure::Usage(format!(
            "line {number} of {path} is not that of an export: {reason}"
        ))
    }
}

fn whole_lines(file: &mut File, reading: &mut Reading<'_>) -> Result<Whole, Failure> {
    let mut whole = Whole::default();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    // Not a String: the cut may be within a character.
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") || !reading.line(&line)? {
            return Ok(whole);
        }
        whole.length += u64::try_from(read).unwrap_or(u64::MAX);
        whole.last = reading.last;
    }
}

/// The frames up to the last whole one. Each has whole lines, and those of streams that take no more
/// events have one of their own.
fn whole_frames(file: &mut File, reading: &mut Reading<'_>) -> Result<Whole, Failure> {
    let mut whole = Whole::default();
    let mut decoder = Decoder::new()?;
    let (mut input, mut output) = (vec![0; 1 << 17], vec![0; 1 << 17]);
    // What was read, and the text of it that is not a whole line yet.
    let (mut consumed, mut text) = (0_u64, Vec::new());
    loop {
        let length = file.read(&mut input)?;
        if length == 0 {
            return Ok(whole);
        }
        let mut rest = &input[..length];
        loop {
            let step = decoder.run_on_buffers(rest, &mut output);
            let step = step.map_err(|error| reading.wrong(&error))?;
            rest = &rest[step.bytes_read..];
            consumed += u64::try_from(step.bytes_read).unwrap_or(u64::MAX);
            text.extend_from_slice(&output[..step.bytes_written]);
            if !take_lines(&mut text, reading)? {
                return Ok(whole);
            }
            if step.remaining == 0 {
                whole = Whole {
                    length: consumed,
                    last: reading.last,
                };
                decoder.reinit()?;
            }
            // A full output may leave more in the decoder.
            if rest.is_empty() && step.bytes_written < output.len() {
                break;
            }
        }
    }
}

/// Takes the whole lines from the beginning of a text. False: the events have ended.
fn take_lines(text: &mut Vec<u8>, reading: &mut Reading<'_>) -> Result<bool, Failure> {
    let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(true);
    };
    let lines: Vec<u8> = text.drain(..=end).collect();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        if !reading.line(line)? {
            return Ok(false);
        }
    }
    Ok(true)
}
