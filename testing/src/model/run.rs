//! Runs a random sequence step by step, on the store and on the model.

use std::fmt::Debug;

use eventcore::{
    Append, EventId, EventStore, EventType, ExpectedVersion, Filter, NewEvent, Position, ReadAll,
    ReadStream, ReadStreams, RecordedEvent, StoreError, StreamId, StreamVersion, execute,
};
use serde_json::{Value, json};

use super::held::{Answer, Held};
use super::step::{self, Demand, STREAMS, Step, TYPES};
use crate::contract::bank::{Deposit, Transfer, balance};

/// One sequence, in streams of its own.
pub(super) struct Run<'a, S> {
    store: &'a S,
    prefix: String,
    held: Held,
    balances: [u64; STREAMS],
}

/// A description of a difference.
type Differs = String;

impl<'a, S: EventStore> Run<'a, S> {
    pub(super) fn new(store: &'a S, prefix: &str) -> Self {
        Self {
            store,
            prefix: prefix.to_owned(),
            held: Held::default(),
            balances: [0; STREAMS],
        }
    }

    pub(super) async fn all(mut self, steps: &[Step]) -> Result<(), Differs> {
        for step in steps {
            let told = format!("{step:?}");
            self.step(step)
                .await
                .map_err(|differs| format!("{told}: {differs}"))?;
        }
        // At the end the store contains exactly what the model contains.
        let read = ReadAll::new().filter(self.of_streams(&[]));
        self.read_all(read, 0).await?;
        for account in 0..STREAMS {
            let found = balance(self.store, self.account(account).as_str()).await;
            same(found, self.balances[account])?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), Differs> {
        match step {
            Step::Append(declared, events) => self.append(declared, events).await,
            Step::Repeat { nth, changed } => self.repeat(*nth, *changed).await,
            Step::ReadStream {
                stream,
                after,
                limit,
                backward,
                types,
            } => {
                let mut read = ReadStream::new(self.stream(*stream))
                    .after(StreamVersion::new(*after))
                    .event_types(types.iter().map(|n| event_type(*n)));
                read.limit = *limit;
                if *backward {
                    read = read.backward();
                }
                self.read_stream(&read).await
            }
            Step::ReadStreams {
                streams,
                limit,
                types,
            } => self.read_streams(streams, *limit, types).await,
            Step::ReadAll {
                after,
                limit,
                backward,
                types,
                streams,
            } => {
                let filter = self.of_streams(streams);
                let filter = types
                    .iter()
                    .fold(filter, |filter, n| filter.event_type(event_type(*n)));
                let mut read = ReadAll::new().limit(*limit).filter(filter);
                if *backward {
                    read = read.backward();
                }
                let after = (*after).min(self.held.events.len());
                self.read_all(read, after).await
            }
            Step::Versions(streams) => self.versions(streams).await,
            Step::Deposit { account, cents } => self.deposit(*account, *cents).await,
            Step::Transfer { from, to, cents } => self.transfer(*from, *to, *cents).await,
        }
    }

    async fn append(
        &mut self,
        declared: &[(usize, Demand)],
        events: &[step::Event],
    ) -> Result<(), Differs> {
        let mut append = Append::new();
        for (stream, demand) in declared {
            let stream = self.stream(*stream);
            let expected = match demand {
                Demand::Unchecked => ExpectedVersion::Unchecked,
                Demand::Exists => ExpectedVersion::Exists,
                Demand::Near(by) => ExpectedVersion::Exactly(
                    self.held
                        .version(&stream)
                        .saturating_add_signed(i64::from(*by)),
                ),
            };
            append = append.stream(stream, expected);
        }
        for event in events {
            let payload = event.payload.map_or(Value::Null, |n| json!({ "n": n }));
            let mut new = NewEvent::new(
                self.stream(event.stream),
                event_type(event.event_type),
                payload,
            );
            if let Some(before) = append.events.last().filter(|_| event.twin) {
                new.event_id = before.event_id;
            }
            append = append.event(new);
        }
        let expected = self.held.judge(&append);
        self.send(&append, &expected).await
    }

    async fn repeat(&mut self, nth: usize, changed: Option<usize>) -> Result<(), Differs> {
        if self.held.appends.is_empty() {
            return Ok(());
        }
        let nth = nth % self.held.appends.len();
        let (mut append, first) = self.held.appends[nth].clone();
        let expected = match changed {
            None => self.held.judge_repeat(&append, &first),
            Some(n) => {
                let n = n % append.events.len();
                let event = &mut append.events[n];
                let id = event.event_id;
                let (stream, event_type) = (event.stream_id.clone(), event.event_type.clone());
                *event = NewEvent::new(stream, event_type, json!("changed")).event_id(id);
                Answer::Mismatch(id)
            }
        };
        self.send(&append, &expected).await
    }

    async fn send(&mut self, append: &Append, expected: &Answer) -> Result<(), Differs> {
        match (self.store.append(append).await, expected) {
            (Ok(found), Answer::Written(versions)) => {
                same(found.repeated, false)?;
                same(&found.versions, versions)?;
                self.held.write(append, &found);
                Ok(())
            }
            (Ok(found), Answer::Repeated(first)) => same(&found, first),
            (Err(error), Answer::Conflicts(conflicts)) => same(error.conflicts(), conflicts),
            (Err(error), Answer::Mismatch(id)) => {
                same(error.is_idempotency_mismatch(), true)?;
                same(error.mismatched_event_ids(), [*id])
            }
            (
                Err(error),
                Answer::Faults {
                    malformed,
                    undeclared,
                },
            ) if (error.is_malformed() && *malformed)
                || (error.is_undeclared_stream() && *undeclared) =>
            {
                Ok(())
            }
            (found, expected) => Err(format!("{found:?}, but expected {expected:?}")),
        }
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<(), Differs> {
        let found = self.store.read_stream(read).await.map_err(failed)?;
        self.same_content(&found)?;
        same(ids(&found), self.held.read_stream(read))
    }

    async fn read_streams(
        &self,
        streams: &[(usize, u64)],
        limit: Option<u32>,
        types: &[usize],
    ) -> Result<(), Differs> {
        let mut read = ReadStreams::default().event_types(types.iter().map(|n| event_type(*n)));
        read.limit = limit;
        let (mut events, mut versions) = (Vec::new(), Vec::new());
        for (stream, after) in streams {
            let after = StreamVersion::new(*after);
            read = read.stream_after(self.stream(*stream), after);
            let mut one = ReadStream::new(self.stream(*stream)).after(after);
            one.limit = limit;
            one.event_types = read.event_types.clone();
            let found = self.held.read_stream(&one);
            versions.push(
                found
                    .last()
                    .map_or(after, |(_, version)| StreamVersion::new(*version)),
            );
            events.extend(found);
        }
        let found = self.store.read_streams(&read).await;
        if is_twice(streams.iter().map(|(stream, _)| *stream)) {
            return same(found.is_err_and(|error| error.is_malformed()), true);
        }
        let found = found.map_err(failed)?;
        same(ids(&found.events), events)?;
        same(found.versions, versions)
    }

    /// `after` is the place of an event of the model, counted from 1.
    async fn read_all(&self, mut read: ReadAll, after: usize) -> Result<(), Differs> {
        read.after = self.position(after).await?;
        let found = self.store.read_all(&read).await.map_err(failed)?;
        self.same_content(&found)?;
        same(ids(&found), self.held.read_all(&read, after))
    }

    async fn versions(&self, streams: &[usize]) -> Result<(), Differs> {
        let asked: Vec<_> = streams.iter().map(|stream| self.stream(*stream)).collect();
        let found = self.store.stream_versions(&asked).await;
        if is_twice(streams.iter().copied()) {
            return same(found.is_err_and(|error| error.is_malformed()), true);
        }
        let expected: Vec<_> = asked
            .iter()
            .map(|stream| StreamVersion::new(self.held.version(stream)))
            .collect();
        same(found.map_err(failed)?, expected)
    }

    async fn deposit(&mut self, account: usize, cents: u64) -> Result<(), Differs> {
        let deposit = Deposit {
            account: self.account(account),
            cents,
        };
        let done = execute(self.store, &deposit)
            .await
            .map_err(|error| error.to_string())?;
        self.balances[account] += cents;
        same(done.attempts, 1)
    }

    async fn transfer(&mut self, from: usize, to: usize, cents: u64) -> Result<(), Differs> {
        let transfer = Transfer {
            from: self.account(from),
            to: self.account(to),
            cents,
        };
        match execute(self.store, &transfer).await {
            Ok(_) => {
                same(cents <= self.balances[from], true)?;
                self.balances[from] -= cents;
                self.balances[to] += cents;
                Ok(())
            }
            Err(error) if error.is_business_rule() => same(cents > self.balances[from], true),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Each of these events is as it was sent.
    fn same_content(&self, found: &[RecordedEvent]) -> Result<(), Differs> {
        for event in found {
            let held = self
                .held
                .events
                .iter()
                .find(|(held, _)| held.event_id == event.event_id);
            let Some((held, _)) = held else {
                return Err(format!("{event:?} is not in the model"));
            };
            same(&event.stream_id, &held.stream_id)?;
            same(&event.event_type, &held.event_type)?;
            same(&event.payload, &held.payload)?;
        }
        same(
            found.iter().all(|event| event.position > Position::START),
            true,
        )
    }

    /// The position of an event of the model.
    async fn position(&self, place: usize) -> Result<Position, Differs> {
        let Some((event, version)) = place.checked_sub(1).map(|at| &self.held.events[at]) else {
            return Ok(Position::START);
        };
        let before = StreamVersion::new(version - 1);
        let read = ReadStream::new(event.stream_id.clone())
            .after(before)
            .limit(1);
        let found = self.store.read_stream(&read).await.map_err(failed)?;
        found
            .first()
            .map(|event| event.position)
            .ok_or_else(|| format!("{event:?} is gone"))
    }

    fn stream(&self, number: usize) -> StreamId {
        name(&format!("{}s{number}", self.prefix))
    }

    fn account(&self, number: usize) -> StreamId {
        name(&format!("{}account-{number}", self.prefix))
    }

    /// Lets these streams through; none for all of the sequence.
    fn of_streams(&self, streams: &[usize]) -> Filter {
        if streams.is_empty() {
            return Filter::all().stream_prefix(format!("{}s", self.prefix));
        }
        let streams = streams.iter().map(|stream| self.stream(*stream));
        streams.fold(Filter::all(), |filter, stream| filter.stream_prefix(stream))
    }
}

fn name(text: &str) -> StreamId {
    StreamId::new(text).expect("a valid name")
}

fn event_type(number: usize) -> EventType {
    EventType::new(["Opened", "Changed", "Closed"][number % TYPES]).expect("a valid name")
}

fn ids(events: &[RecordedEvent]) -> Vec<(EventId, u64)> {
    events
        .iter()
        .map(|event| (event.event_id, event.version.get()))
        .collect()
}

fn is_twice(numbers: impl Iterator<Item = usize>) -> bool {
    let mut seen = [false; STREAMS];
    numbers
        .into_iter()
        .any(|number| std::mem::replace(&mut seen[number], true))
}

fn same<T: PartialEq<U> + Debug, U: Debug>(found: T, expected: U) -> Result<(), Differs> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found:?}, but expected {expected:?}"))
}

fn failed(error: StoreError) -> Differs {
    format!("it failed: {error:?}")
}
