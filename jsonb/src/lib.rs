//! JSON text to the bytes of PostgreSQL's `jsonb`: the same bytes that the server makes of it.
//!
//! The server's own conversion is written for every text. This one is written for the texts that
//! applications send all the time, and declines all others: then the caller asks the server, which
//! also reports what is wrong with a text that is not JSON. What is declined:
//!
//! - anything that is not JSON, or not UTF-8;
//! - the escape `\u0000`, which a jsonb cannot hold, and halves of surrogate pairs;
//! - numbers of more than [`MAX_NUMBER_BYTES`] bytes, of more than about 35 significant digits, or
//!   with an exponent beyond ±[`MAX_EXPONENT`];
//! - nesting deeper than [`MAX_DEPTH`];
//! - texts of more than [`MAX_TEXT_BYTES`] bytes;
//! - any text, while there is not enough memory.
//!
//! A text within these limits reaches none of the server's limits, so both accept the same texts.
//!
//! The format is that of `utils/jsonb.h` and `utils/adt/numeric.c`, the same in PostgreSQL 15 to 18:
//! words in the byte order of the machine, containers and numbers at multiples of four bytes from
//! the beginning. The size of a pointer does not matter. The text is UTF-8, as in each database with
//! eventcore.

mod number;
mod read;
mod string;
mod write;

use write::Writer;

/// The longest text, in bytes. Its jsonb has at most six times as many, so that no length in it comes
/// near to the 256 MB that jsonb allows, and the buffers stay small. The time stays short as well:
/// each array or object that another one contains is moved once, so the worst text of this size,
/// nested as deep as allowed, takes about 10 ms.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;

/// How deep arrays and objects may be nested. Reading recurses this deep, with about 200 bytes of the
/// stack for each level.
pub const MAX_DEPTH: usize = 64;

/// The longest number, in bytes.
pub const MAX_NUMBER_BYTES: usize = 255;

/// The largest exponent of a number, up or down.
pub const MAX_EXPONENT: i32 = 999;

/// Converts texts. It keeps its buffers for the next text.
#[derive(Default)]
pub struct Encoder {
    writer: Writer,
}

impl Encoder {
    /// An encoder without buffers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes of memory it keeps.
    pub fn size(&self) -> usize {
        self.writer.size()
    }

    /// The text as a jsonb, from its length word on; `None` if the text is not ordinary.
    pub fn encode(&mut self, text: &[u8]) -> Option<&[u8]> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        read::read(text, &mut self.writer)
    }
}

#[cfg(test)]
mod tests;
