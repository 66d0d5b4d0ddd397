//! Writing: values to the bytes of a jsonb.
//!
//! An array or an object is a word with flags and the number of elements or pairs, then one word (an
//! entry) for each element or for all keys and all values, then their contents. An entry has the type
//! and the length of its contents, or in each 32nd entry where its contents end. An array or an object
//! begins at a multiple of four bytes, and so do the numbers in it, so that it can be moved.
//!
//! The values of an array or object are collected until it ends. Then it is written, and is itself
//! one of the values that are collected.

use std::cmp::Ordering;

const SCALAR: u32 = 0x1000_0000;
const OBJECT: u32 = 0x2000_0000;
const ARRAY: u32 = 0x4000_0000;

/// Each entry whose number is a multiple of it says where it ends, all others how long they are.
const STRIDE: usize = 32;
const HAS_END: u32 = 0x8000_0000;

/// A word, and the alignment of words.
pub(crate) const WORD: usize = 4;

/// The type of a value, as its entry has it.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Kind {
    String = 0x0000_0000,
    Number = 0x1000_0000,
    False = 0x2000_0000,
    True = 0x3000_0000,
    Null = 0x4000_0000,
    Container = 0x5000_0000,
}

/// A value whose contents have been read.
#[derive(Clone, Copy)]
pub(crate) struct Value {
    kind: Kind,
    place: Place,
    start: u32,
    end: u32,
}

/// Where the contents of a value stand.
#[derive(Clone, Copy)]
enum Place {
    Text,
    Bytes,
}

/// The length word of a value of variable length that is neither compressed nor short.
pub(crate) fn length_word(length: usize) -> [u8; WORD] {
    let length = length as u32;
    let word = if cfg!(target_endian = "big") {
        length
    } else {
        length << 2
    };
    word.to_ne_bytes()
}

/// Writes one jsonb at a time.
#[derive(Default)]
pub(crate) struct Writer {
    /// The contents of the values that are not in the text, and then the jsonb.
    pub(crate) bytes: Vec<u8>,
    /// The values of the arrays and objects that have not ended, the innermost last. In an object, a
    /// key is followed by its value.
    values: Vec<Value>,
    /// The pairs of the object that is being written.
    pairs: Vec<Pair>,
}

/// An array or an object that has not ended.
pub(crate) struct Open {
    first_value: usize,
    first_byte: usize,
}

/// A key and its value.
#[derive(Clone, Copy)]
struct Pair {
    /// The length of the key, then its first four bytes: in the order of jsonb, short keys first.
    rank: u64,
    /// The number of the key among the values. Its value comes next.
    key: u32,
}

/// The entries of an array or an object.
struct Entries {
    /// Where the next one is written.
    at: usize,
    count: usize,
    /// Where the contents begin.
    contents: usize,
}

impl Value {
    /// A value without contents.
    pub(crate) fn word(kind: Kind) -> Self {
        Self::new(kind, Place::Text, 0, 0)
    }

    /// A string that stands in the text as it is.
    pub(crate) fn verbatim(start: usize, end: usize) -> Self {
        Self::new(Kind::String, Place::Text, start, end)
    }

    /// A text is far smaller than 4 GB, and so is what is made of it.
    fn new(kind: Kind, place: Place, start: usize, end: usize) -> Self {
        Self {
            kind,
            place,
            start: start as u32,
            end: end as u32,
        }
    }

    fn contents<'a>(self, text: &'a [u8], bytes: &'a [u8]) -> &'a [u8] {
        let range = self.start as usize..self.end as usize;
        match self.place {
            Place::Text => &text[range],
            Place::Bytes => &bytes[range],
        }
    }
}

impl Writer {
    /// How many bytes of memory it keeps.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity()
            + self.values.capacity() * size_of::<Value>()
            + self.pairs.capacity() * size_of::<Pair>()
    }

    /// Begins the next text and makes room for it, so that nothing has to grow; `None` if the memory
    /// is not to be had, which would end the process later.
    pub(crate) fn begin_text(&mut self, length: usize) -> Option<()> {
        self.bytes.clear();
        self.values.clear();
        self.pairs.clear();
        // The longest jsonb is that of an array of digits: `1,` becomes an entry and a number of
        // eight bytes. It is written behind the contents of its values.
        self.bytes.try_reserve(12 * length + 32).ok()?;
        self.values.try_reserve(length / 2 + 1).ok()?;
        // `"":1,`
        self.pairs.try_reserve(length / 5 + 1).ok()
    }

    pub(crate) fn push(&mut self, value: Value) {
        self.values.push(value);
    }

    /// A value whose contents are the bytes from `start` on.
    pub(crate) fn last_bytes(&self, kind: Kind, start: usize) -> Value {
        Value::new(kind, Place::Bytes, start, self.bytes.len())
    }

    /// Begins an array or an object.
    pub(crate) fn open(&self) -> Open {
        Open {
            first_value: self.values.len(),
            first_byte: self.bytes.len(),
        }
    }

    /// Ends an array, which becomes a value.
    pub(crate) fn close_array(&mut self, text: &[u8], open: &Open) {
        let start = self.bytes.len();
        self.write_array(text, open, ARRAY);
        self.close(open, start);
    }

    /// Ends an object, which becomes a value.
    pub(crate) fn close_object(&mut self, text: &[u8], open: &Open) {
        let start = self.bytes.len();
        self.write_object(text, open);
        self.close(open, start);
    }

    /// The bytes of an array or object go to where those of its values were.
    fn close(&mut self, open: &Open, start: usize) {
        let length = self.bytes.len() - start;
        self.bytes.copy_within(start.., open.first_byte);
        self.bytes.truncate(open.first_byte + length);
        self.values.truncate(open.first_value);
        let value = self.last_bytes(Kind::Container, open.first_byte);
        self.values.push(value);
    }

    /// Ends an array that is the whole text.
    pub(crate) fn finish_array(&mut self, text: &[u8], open: &Open) -> &[u8] {
        self.finish(|writer| writer.write_array(text, open, ARRAY))
    }

    /// Ends an object that is the whole text.
    pub(crate) fn finish_object(&mut self, text: &[u8], open: &Open) -> &[u8] {
        self.finish(|writer| writer.write_object(text, open))
    }

    /// Ends a text that is neither, but a value in an array of one.
    pub(crate) fn finish_scalar(&mut self, text: &[u8], open: &Open) -> &[u8] {
        self.finish(|writer| writer.write_array(text, open, ARRAY | SCALAR))
    }

    fn finish(&mut self, write: impl FnOnce(&mut Self)) -> &[u8] {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; WORD]);
        write(self);
        let jsonb = &mut self.bytes[start..];
        let length = length_word(jsonb.len());
        jsonb[..WORD].copy_from_slice(&length);
        jsonb
    }

    fn write_array(&mut self, text: &[u8], open: &Open, flags: u32) {
        let count = self.values.len() - open.first_value;
        let mut entries = self.begin(flags, count, count);
        for number in open.first_value..self.values.len() {
            self.write_value(text, &mut entries, self.values[number]);
        }
    }

    fn write_object(&mut self, text: &[u8], open: &Open) {
        self.collect_pairs(text, open);
        let count = self.pairs.len();
        let mut entries = self.begin(OBJECT, count, 2 * count);
        for offset in [0, 1] {
            for number in 0..count {
                let value = self.values[self.pairs[number].key as usize + offset];
                self.write_value(text, &mut entries, value);
            }
        }
    }

    fn begin(&mut self, flags: u32, count: usize, entries: usize) -> Entries {
        let header = flags | count as u32;
        self.bytes.extend_from_slice(&header.to_ne_bytes());
        let at = self.bytes.len();
        let contents = at + entries * WORD;
        self.bytes.resize(contents, 0);
        Entries {
            at,
            count: 0,
            contents,
        }
    }

    /// Writes the contents of the next value and its entry.
    fn write_value(&mut self, text: &[u8], entries: &mut Entries, value: Value) {
        let start = self.bytes.len();
        if matches!(value.kind, Kind::Number | Kind::Container) {
            // The header and the entries are words, and so is what stands before them.
            let gap = (start - entries.contents).wrapping_neg() % WORD;
            self.bytes.extend_from_slice(&[0; WORD][..gap]);
        }
        let range = value.start as usize..value.end as usize;
        match value.place {
            Place::Text => self.bytes.extend_from_slice(&text[range]),
            Place::Bytes => self.bytes.extend_from_within(range),
        }
        let end = self.bytes.len();
        let entry = if entries.count.is_multiple_of(STRIDE) {
            HAS_END | (end - entries.contents) as u32
        } else {
            (end - start) as u32
        };
        let entry = entry | value.kind as u32;
        self.bytes[entries.at..entries.at + WORD].copy_from_slice(&entry.to_ne_bytes());
        entries.at += WORD;
        entries.count += 1;
    }

    /// Collects the pairs of an object in the order of jsonb. Of those with the same key, the last one
    /// is kept.
    fn collect_pairs(&mut self, text: &[u8], open: &Open) {
        let Self {
            bytes,
            values,
            pairs,
        } = self;
        let key = |pair: &Pair| values[pair.key as usize].contents(text, bytes);
        pairs.clear();
        for number in (open.first_value..values.len()).step_by(2) {
            pairs.push(Pair {
                rank: rank(values[number].contents(text, bytes)),
                key: number as u32,
            });
        }
        pairs.sort_unstable_by_key(|pair| (pair.rank, pair.key));
        // So it is in most objects, and a comparison of ranks is faster than one of keys.
        if pairs.windows(2).all(|pair| pair[0].rank != pair[1].rank) {
            return;
        }
        let compare = |a: &Pair, b: &Pair| {
            let ranks = a.rank.cmp(&b.rank);
            ranks.then_with(|| key(a).cmp(key(b)))
        };
        pairs.sort_unstable_by(|a, b| compare(a, b).then(a.key.cmp(&b.key)));
        // Of equal neighbours the first is kept, so the last one goes there.
        pairs.dedup_by(|next, kept| {
            let is_same = compare(next, kept) == Ordering::Equal;
            if is_same {
                *kept = *next;
            }
            is_same
        });
    }
}

#[cfg(test)]
impl Writer {
    pub(crate) fn capacities(&self) -> [usize; 3] {
        [
            self.bytes.capacity(),
            self.values.capacity(),
            self.pairs.capacity(),
        ]
    }
}

/// See [`Pair::rank`].
fn rank(key: &[u8]) -> u64 {
    let mut first = [0; 4];
    match key.first_chunk::<4>() {
        Some(chunk) => first = *chunk,
        None => first[..key.len()].copy_from_slice(key),
    }
    (key.len() as u64) << 32 | u64::from(u32::from_be_bytes(first))
}
