//! The argument `streams` of several functions: valid stream ids without duplicates.

use crate::error::{Error, Malformed};
use crate::locks::StreamKey;
use crate::pg::array::TextArray;
use crate::pg::value::Text;
use eventcore_rules::{MAX_STREAMS_PER_APPEND, check_name};

/// The stream ids of the argument.
pub struct StreamList<'a> {
    /// In the caller's order.
    pub names: Vec<Text<'a>>,
    /// Their indexes in the order of their keys, which is the order in which they are locked.
    pub by_key: Vec<(StreamKey, usize)>,
}

impl<'a> StreamList<'a> {
    pub fn read(streams: Option<TextArray<'a>>) -> Result<Self, Error> {
        let malformed = |reason: String| Malformed::argument("streams", reason);
        let streams = streams.ok_or_else(|| malformed("is NULL".into()))?;
        let count = streams.0.len();
        if count == 0 {
            return Err(malformed("is empty".into()).into());
        }
        if count > MAX_STREAMS_PER_APPEND {
            let reason = format!("has {count} elements, more than {MAX_STREAMS_PER_APPEND}");
            return Err(malformed(reason).into());
        }
        let mut names = Vec::with_capacity(count);
        for index in 0..count {
            let name = streams
                .get(index)
                .ok_or_else(|| malformed("is NULL".into()).at(index))?;
            check_name(name.bytes()).map_err(|error| malformed(error.to_string()).at(index))?;
            names.push(name);
        }
        let by_key = sort_by_key(&names)?;
        Ok(Self { names, by_key })
    }
}

/// The indexes of streams in the order of their keys. SE003 if a name appears twice.
pub fn sort_by_key(names: &[Text<'_>]) -> Result<Vec<(StreamKey, usize)>, Error> {
    let mut by_key: Vec<(StreamKey, usize)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (StreamKey::of(name.bytes()), i))
        .collect();
    // Names with the same key are sorted by name, so that equal names are neighbours.
    by_key.sort_unstable_by_key(|(key, number)| (*key, names[*number].bytes(), *number));
    for pair in by_key.windows(2) {
        let (first, second) = (pair[0].1, pair[1].1);
        if names[first].bytes() == names[second].bytes() {
            let reason = format!("names \"{}\" twice", names[second]);
            return Err(Malformed::argument("streams", reason).at(second).into());
        }
    }
    Ok(by_key)
}
