//! [`LedgerFile`]: keeps what partners have done, so that they remember it after they were killed.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::domain::OrderId;

/// One thing that a partner has done. Each is a line of JSON in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) did: Act,
    pub(super) order: OrderId,
    /// Cents or pieces. Of a refund and a withdrawal: what was taken back, 0 if there was nothing.
    pub(super) amount: u64,
    /// Of a charge and a booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
}

/// What a partner can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    Charge,
    Refund,
    Book,
    Withdraw,
}

/// A file of records that only grows.
#[derive(Debug)]
pub(super) struct LedgerFile {
    file: File,
    length: u64,
}

impl LedgerFile {
    /// Opens the file, or makes it, and reads what is in it. A last line without its end was being
    /// written during a kill: nobody has got that answer, so it is cut off.
    ///
    /// # Errors
    ///
    /// The file cannot be used, another process uses it, or it is not a ledger.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Record>)> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        file.try_lock()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        let length = complete as u64;
        file.set_len(length)?;
        file.sync_all()?;
        let lines = text[..complete].lines();
        let records = lines.map(|line| {
            serde_json::from_str(line)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
        });
        let records = records.collect::<io::Result<_>>()?;
        Ok((Self { file, length }, records))
    }

    /// Adds a record. Afterwards it survives a kill and a loss of power.
    ///
    /// # Errors
    ///
    /// It cannot be written; the file is as it was before.
    pub(super) fn add(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += line.len() as u64;
        Ok(())
    }
}
