//! Locking the streams of a command: locked first, then read and folded, in one snapshot. Streams
//! that are found in the state are locked as they are found.
//!
//! There are no deadlocks. The streams that are known from the start are locked in the order of
//! their keys, as by appends. A stream that is found later is locked only if its lock is free.
//! Otherwise all locks are released, and the next attempt locks that stream together with the first
//! ones.

use super::definition::Definition;
use super::fold::{CommandState, fold};
use super::input::{self, NamedStream};
use super::states::SavedStates;
use crate::error::{Error, Malformed};
use crate::locks::{LockMode, StreamKey, lock_stream, try_lock_stream, unlock_stream};
use crate::pg::value::{Jsonb, Text};
use crate::tables::Events;
use eventcore_rules::{MAX_STREAMS_PER_APPEND, check_name};

/// The streams of the command, and the locks to take first.
pub struct StreamLocking<'a> {
    named: Vec<NamedStream<'a>>,
    /// In the order of their keys, without duplicates.
    locks: Vec<(StreamKey, LockMode)>,
}

impl<'a> StreamLocking<'a> {
    pub fn new(named: &[NamedStream<'a>]) -> Result<Self, Error> {
        if named.len() > MAX_STREAMS_PER_APPEND {
            return Err(too_many(named.len()));
        }
        let mut locking = Self {
            named: Vec::new(),
            locks: Vec::new(),
        };
        for (index, named) in named.iter().enumerate() {
            check(named.stream, "input", index)?;
            locking.named.push(*named);
            locking.lock_beforehand(StreamKey::of(named.stream.bytes()), mode(named));
        }
        Ok(locking)
    }

    /// Locks, reads and folds. `None` if another transaction has locked a stream that was found.
    /// Then nothing is locked.
    pub fn lock_and_fold(
        &mut self,
        events: &Events,
        definition: &mut Definition<'a>,
        states: Option<&SavedStates<'a>>,
        input: Jsonb<'a>,
    ) -> Result<Option<CommandState<'a>>, Error> {
        for (key, mode) in &self.locks {
            lock_stream(*key, *mode);
        }
        let mut locked = self.locks.clone();
        let mut current = CommandState::of(self.named.clone(), definition);
        fold(events, definition, states, &mut current)?;
        loop {
            let found = related_streams(definition, input, &current)?;
            if found.is_empty() {
                return Ok(Some(current));
            }
            for stream in found {
                let key = StreamKey::of(stream.bytes());
                if !locked
                    .iter()
                    .any(|(other, mode)| *other == key && *mode == LockMode::Exclusive)
                {
                    if !try_lock_stream(key, LockMode::Exclusive) {
                        for (key, mode) in locked {
                            unlock_stream(key, mode);
                        }
                        self.lock_beforehand(key, LockMode::Exclusive);
                        return Ok(None);
                    }
                    locked.push((key, LockMode::Exclusive));
                }
                current.streams.push(NamedStream {
                    stream,
                    only_checked: false,
                });
            }
            fold(events, definition, states, &mut current)?;
        }
    }

    /// Streams with the same key share a lock, in the stronger of their modes.
    fn lock_beforehand(&mut self, key: StreamKey, mode: LockMode) {
        match self.locks.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.locks[place].1 = self.locks[place].1.max(mode),
            Err(place) => self.locks.insert(place, (key, mode)),
        }
    }
}

fn mode(named: &NamedStream<'_>) -> LockMode {
    match named.only_checked {
        true => LockMode::Shared,
        false => LockMode::Exclusive,
    }
}

fn too_many(count: usize) -> Error {
    let reason = format!("names {count} streams; a command has at most {MAX_STREAMS_PER_APPEND}");
    Malformed::argument("input", reason).into()
}

fn check(stream: Text<'_>, argument: &'static str, index: usize) -> Result<(), Error> {
    check_name(stream.bytes()).map_err(|error| {
        let reason = format!("names the stream \"{stream}\", which {error}");
        Malformed::argument(argument, reason).at(index).into()
    })
}

/// The streams that `related_streams` returns and that are not known yet.
fn related_streams<'a>(
    definition: &mut Definition<'a>,
    input: Jsonb<'a>,
    current: &CommandState<'a>,
) -> Result<Vec<Text<'a>>, Error> {
    const WHAT: &str = "result of related_streams";
    let Some(function) = &mut definition.related_streams else {
        return Ok(Vec::new());
    };
    let mut new: Vec<Text<'a>> = Vec::new();
    let streams = input::texts(function.texts_of_two(current.folded.state(), input), WHAT)?;
    for (index, stream) in streams.into_iter().enumerate() {
        check(stream, WHAT, index)?;
        let is_known = current
            .streams
            .iter()
            .any(|named| named.stream.bytes() == stream.bytes())
            || new.iter().any(|other| other.bytes() == stream.bytes());
        if !is_known {
            new.push(stream);
        }
    }
    if current.streams.len() + new.len() > MAX_STREAMS_PER_APPEND {
        let reason = format!("leads to more than {MAX_STREAMS_PER_APPEND} streams");
        return Err(Malformed::argument(WHAT, reason).into());
    }
    Ok(new)
}
