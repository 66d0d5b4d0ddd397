//! The events that a reader wants: by prefixes of their stream ids, compared byte by byte, and by
//! their types.

use crate::error::{Error, Malformed};
use crate::pg::array::TextArray;
use crate::pg::function::Call;
use crate::pg::scan::Row;
use crate::pg::value::Text;
use crate::tables::columns::events as column;
use eventcore_rules::MAX_FILTER_ELEMENTS;

/// The events that a caller wants; `None` means all.
pub struct Filter<'a> {
    prefixes: Option<Vec<Text<'a>>>,
    types: Option<Vec<Text<'a>>>,
}

impl<'a> Filter<'a> {
    /// Reads the arguments `stream_prefixes` and `event_types`, which have these numbers.
    pub fn read(call: &Call<'a>, prefixes: usize, types_: usize) -> Result<Self, Error> {
        let prefixes = call.text_array(prefixes, "stream_prefixes")?;
        Ok(Self {
            prefixes: prefixes
                .map(|prefixes| elements("stream_prefixes", &prefixes))
                .transpose()?,
            types: types(call, types_)?,
        })
    }

    /// A filter of these prefixes and types.
    pub fn of(prefixes: Option<Vec<Text<'a>>>, types: Option<Vec<Text<'a>>>) -> Self {
        Self { prefixes, types }
    }

    /// Reads the argument `event_types`, which has this number.
    pub fn by_types(call: &Call<'a>, number: usize) -> Result<Self, Error> {
        Ok(Self {
            prefixes: None,
            types: types(call, number)?,
        })
    }

    /// Whether every event passes.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_none() && self.types.is_none()
    }

    /// Whether this event passes.
    pub fn admits(&self, row: &Row<'_>) -> bool {
        let any = |wanted: &Option<Vec<Text<'_>>>, column, test: fn(&[u8], &[u8]) -> bool| {
            wanted.as_ref().is_none_or(|wanted| {
                row.text(column)
                    .is_some_and(|text| wanted.iter().any(|one| test(text.bytes(), one.bytes())))
            })
        };
        any(&self.prefixes, column::STREAM_ID, |stream, prefix| {
            stream.starts_with(prefix)
        }) && any(&self.types, column::EVENT_TYPE, |event_type, wanted| {
            event_type == wanted
        })
    }
}

fn types<'a>(call: &Call<'a>, number: usize) -> Result<Option<Vec<Text<'a>>>, Error> {
    let types = call.text_array(number, "event_types")?;
    types
        .map(|types| elements("event_types", &types))
        .transpose()
}

fn elements<'a>(name: &'static str, array: &TextArray<'a>) -> Result<Vec<Text<'a>>, Error> {
    let count = array.0.len();
    if count > MAX_FILTER_ELEMENTS {
        let reason = format!("has {count} elements, more than {MAX_FILTER_ELEMENTS}");
        return Err(Malformed::argument(name, reason).into());
    }
    (0..count)
        .map(|index| {
            let element = array.get(index);
            element.ok_or_else(|| Malformed::argument(name, "is NULL").at(index).into())
        })
        .collect()
}
