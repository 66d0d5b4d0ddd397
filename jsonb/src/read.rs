//! Reading: a text by the grammar of JSON, to the values that are written.

use crate::write::{Kind, Open, Value, Writer};
use crate::{MAX_DEPTH, number, string};

/// The text as a jsonb; `None` if it is not ordinary.
pub(crate) fn read<'a>(text: &[u8], writer: &'a mut Writer) -> Option<&'a [u8]> {
    writer.begin_text(text.len())?;
    let mut reader = Reader {
        text,
        at: 0,
        seen: 0,
        writer,
    };
    reader.skip_space();
    let root = reader.root()?;
    if reader.at != text.len() {
        return None;
    }
    if string::may_be_beyond_ascii(reader.seen) && std::str::from_utf8(text).is_err() {
        return None;
    }
    Some(match root {
        Root::Array(open) => writer.finish_array(text, &open),
        Root::Object(open) => writer.finish_object(text, &open),
        Root::Scalar(open) => writer.finish_scalar(text, &open),
    })
}

/// What a text is, whose values have been read.
enum Root {
    Array(Open),
    Object(Open),
    Scalar(Open),
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// See [`string::plain_bytes`].
    seen: u64,
    writer: &'a mut Writer,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Whether this byte is next. If so, it is passed, and the space behind it.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.at += 1;
            self.skip_space();
        }
        is_next
    }

    fn root(&mut self) -> Option<Root> {
        match self.peek()? {
            b'[' => self.elements(0).map(Root::Array),
            b'{' => self.pairs(0).map(Root::Object),
            _ => {
                let open = self.writer.open();
                self.value(0)?;
                Some(Root::Scalar(open))
            }
        }
    }

    /// A value and the space behind it.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string()?,
            b'{' => {
                let open = self.pairs(depth)?;
                self.writer.close_object(self.text, &open);
                return Some(());
            }
            b'[' => {
                let open = self.elements(depth)?;
                self.writer.close_array(self.text, &open);
                return Some(());
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            b'n' => self.word(b"null", Kind::Null)?,
            _ => return None,
        }
        self.skip_space();
        Some(())
    }

    /// The pairs of an object and the space behind it.
    fn pairs(&mut self, depth: usize) -> Option<Open> {
        let open = self.open(depth)?;
        if self.take(b'}') {
            return Some(open);
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            self.string()?;
            self.skip_space();
            self.take(b':').then_some(())?;
            self.value(depth + 1)?;
            if !self.take(b',') {
                break;
            }
        }
        self.take(b'}').then_some(open)
    }

    /// The elements of an array and the space behind it.
    fn elements(&mut self, depth: usize) -> Option<Open> {
        let open = self.open(depth)?;
        if self.take(b']') {
            return Some(open);
        }
        loop {
            self.value(depth + 1)?;
            if !self.take(b',') {
                break;
            }
        }
        self.take(b']').then_some(open)
    }

    fn open(&mut self, depth: usize) -> Option<Open> {
        if depth == MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.skip_space();
        Some(self.writer.open())
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Option<()> {
        self.text[self.at..].starts_with(word).then_some(())?;
        self.at += word.len();
        self.writer.push(Value::word(kind));
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.writer.bytes.len();
        self.at += number::append(&self.text[self.at..], &mut self.writer.bytes)?;
        let value = self.writer.last_bytes(Kind::Number, start);
        self.writer.push(value);
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        let start = self.at;
        self.at += string::plain_bytes(&self.text[start..], &mut self.seen);
        let value = match self.peek()? {
            b'"' => Value::verbatim(start, self.at),
            b'\\' => self.decode(start)?,
            _ => return None,
        };
        self.at += 1;
        self.writer.push(value);
        Some(())
    }

    /// Decodes a string that begins at `start` and whose first escape is next.
    fn decode(&mut self, start: usize) -> Option<Value> {
        let decoded = &mut self.writer.bytes;
        let decoded_start = decoded.len();
        decoded.extend_from_slice(&self.text[start..self.at]);
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    let behind = &self.text[self.at + 1..];
                    self.at += 1 + string::unescape(behind, decoded)?;
                }
                ..0x20 => return None,
                _ => {}
            }
            let plain = string::plain_bytes(&self.text[self.at..], &mut self.seen);
            decoded.extend_from_slice(&self.text[self.at..self.at + plain]);
            self.at += plain;
        }
        Some(self.writer.last_bytes(Kind::String, decoded_start))
    }
}
