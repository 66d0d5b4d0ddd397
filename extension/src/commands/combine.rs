//! Combining the states of streams that were folded separately.

use super::definition::Folding;
use crate::error::{Error, Malformed};
use crate::pg::array::jsonb_array;
use crate::pg::memory::{ScratchMemory, StateMemory};
use crate::pg::value::{Jsonb, Text, size};

/// The states are combined when together they have this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// The states of streams that have been folded and are not combined yet. There are some only if
/// `combine` takes an array.
pub struct StatesToCombine<'a> {
    memory: ScratchMemory,
    states: Vec<(Text<'a>, Jsonb<'a>)>,
    bytes: usize,
}

impl<'a> StatesToCombine<'a> {
    pub fn none() -> Self {
        Self {
            memory: ScratchMemory::new(),
            states: Vec::new(),
            bytes: 0,
        }
    }

    /// Combines the state of a stream with that of the streams before, at once or later.
    pub fn add(
        &mut self,
        combine: &mut Folding,
        (stream, own): (Text<'a>, Jsonb<'_>),
        state: &mut StateMemory,
    ) -> Result<(), Error> {
        if !combine.takes_array {
            return state.replace(|state| {
                let next = combine.function.jsonb_of_two(state, own);
                next.ok_or_else(|| is_null(stream, stream))
            });
        }
        let own = self.memory.until_emptied(|| own.keep());
        self.bytes += size(own.datum());
        self.states.push((stream, own));
        if self.bytes < MAX_BYTES {
            return Ok(());
        }
        self.combine(combine, state)
    }

    /// Combines all states. SE003 if `combine` returns NULL.
    pub fn combine(&mut self, combine: &mut Folding, state: &mut StateMemory) -> Result<(), Error> {
        let (Some((first, _)), Some((last, _))) = (self.states.first(), self.states.last()) else {
            return Ok(());
        };
        state.replace(|state| {
            let states = self.states.iter().map(|(_, state)| *state);
            let states = std::iter::once(state).chain(states);
            let array = self.memory.until_emptied(|| jsonb_array(states));
            let next = combine.function.jsonb_of_array(array);
            next.ok_or_else(|| is_null(*first, *last))
        })?;
        self.states.clear();
        self.bytes = 0;
        self.memory.empty();
        Ok(())
    }
}

fn is_null(first: Text<'_>, last: Text<'_>) -> Error {
    let reason = if first.bytes() == last.bytes() {
        format!("is NULL, for the state of \"{first}\"")
    } else {
        format!("is NULL, for the states of \"{first}\" to \"{last}\"")
    };
    Malformed::argument("result of combine", reason).into()
}
