//! The rows of a binary COPY, without the driver.
//!
//! `tokio_postgres::binary_copy` splits rows on the task that receives them. Here that is done on the
//! writer's thread, beside the receiver, which is what brings an export to the speed of a COPY.

use super::line::{COLUMNS, Columns, wrong};
use crate::error::Error;

/// What a binary COPY begins with, up to its flags.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Splits what a binary COPY sends into rows. The server may send them in pieces of any size; it
/// sends one row with each.
#[derive(Default)]
pub(super) struct Rows {
    /// The beginning of what is not whole yet.
    begun: Vec<u8>,
    has_begun: bool,
    has_ended: bool,
}

impl Rows {
    /// Takes a piece, and hands out the rows that are whole now. Returns how many.
    pub(super) fn take(
        &mut self,
        piece: &[u8],
        mut row: impl FnMut(&Columns<'_>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        if self.begun.is_empty() {
            let mut left = piece;
            let count = self.split(&mut left, &mut row)?;
            self.begun.extend_from_slice(left);
            return Ok(count);
        }
        let mut begun = std::mem::take(&mut self.begun);
        begun.extend_from_slice(piece);
        let mut left = begun.as_slice();
        let count = self.split(&mut left, &mut row)?;
        let used = begun.len() - left.len();
        begun.drain(..used);
        self.begun = begun;
        Ok(count)
    }

    /// Whether the last row was followed by the mark of the end.
    pub(super) fn is_complete(&self) -> bool {
        self.has_ended && self.begun.is_empty()
    }

    /// Hands out the whole rows at the beginning of `left`, and leaves the rest.
    fn split(
        &mut self,
        left: &mut &[u8],
        row: &mut impl FnMut(&Columns<'_>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        if !self.has_begun {
            let Some(rest) = header(left)? else {
                return Ok(0);
            };
            *left = rest;
            self.has_begun = true;
        }
        let mut count = 0;
        while !self.has_ended {
            let mut rest = *left;
            let Some(columns) = number(&mut rest, i16::from_be_bytes) else {
                break;
            };
            if columns == -1 {
                self.has_ended = true;
            } else if usize::try_from(columns) != Ok(COLUMNS) {
                return Err(wrong(format!("it has {columns} columns")));
            } else {
                let Some(columns) = values(&mut rest)? else {
                    break;
                };
                row(&columns)?;
                count += 1;
            }
            *left = rest;
        }
        Ok(count)
    }
}

/// What follows the header; `None` if it is not whole.
fn header(bytes: &[u8]) -> Result<Option<&[u8]>, Error> {
    let begin = bytes.len().min(SIGNATURE.len());
    if bytes[..begin] != SIGNATURE[..begin] {
        return Err(wrong("it is not of a binary COPY"));
    }
    let mut rest = &bytes[begin..];
    let Some(_flags) = number(&mut rest, i32::from_be_bytes) else {
        return Ok(None);
    };
    let Some(extension) = number(&mut rest, u32::from_be_bytes) else {
        return Ok(None);
    };
    let extension = usize::try_from(extension).unwrap_or(usize::MAX);
    Ok(rest.split_at_checked(extension).map(|(_, rest)| rest))
}

/// The values of a row; `None` if it is not whole.
fn values<'a>(rest: &mut &'a [u8]) -> Result<Option<Columns<'a>>, Error> {
    let mut columns: Columns<'a> = [None; COLUMNS];
    for column in &mut columns {
        let Some(length) = number(rest, i32::from_be_bytes) else {
            return Ok(None);
        };
        if length == -1 {
            continue;
        }
        let length = usize::try_from(length).map_err(wrong)?;
        let Some((value, after)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        *column = Some(value);
        *rest = after;
    }
    Ok(Some(columns))
}

/// Reads a number from the beginning.
fn number<const N: usize, T>(rest: &mut &[u8], read: impl FnOnce([u8; N]) -> T) -> Option<T> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(read(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows: in the first, column `n` has `n` bytes; in the second, all are NULL.
    fn copied() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, 7, 7]);
        bytes.extend_from_slice(&[0, 10]);
        for length in 0..10 {
            bytes.extend_from_slice(&[0, 0, 0, length]);
            bytes.extend(std::iter::repeat_n(length, length.into()));
        }
        bytes.extend_from_slice(&[0, 10]);
        bytes.extend_from_slice(&[0xff; 40]);
        bytes.extend_from_slice(&[0xff; 2]);
        bytes
    }

    #[test]
    fn rows_come_in_pieces_of_any_size() {
        let bytes = copied();
        for size in 1..=bytes.len() {
            let (mut rows, mut seen, mut count) = (Rows::default(), Vec::new(), 0);
            for piece in bytes.chunks(size) {
                assert!(!rows.is_complete());
                count += rows
                    .take(piece, |columns| {
                        seen.push(columns.map(|value| value.map(<[u8]>::to_vec)));
                        Ok(())
                    })
                    .unwrap();
            }
            assert!(rows.is_complete());
            assert_eq!((count, seen.len()), (2, 2), "pieces of {size}");
            for (length, value) in seen[0].iter().enumerate() {
                let byte = u8::try_from(length).unwrap();
                assert_eq!(*value, Some(vec![byte; length]));
            }
            assert_eq!(seen[1], [const { None }; 10]);
        }
    }

    #[test]
    fn what_is_no_copy_of_events_is_an_error() {
        for (at, byte) in [(0, b'p'), (10, 1), (22, 9), (23, 0x80)] {
            let mut bytes = copied();
            bytes[at] = byte;
            assert!(
                Rows::default().take(&bytes, |_| Ok(())).is_err(),
                "{byte} at {at}"
            );
        }
    }
}
