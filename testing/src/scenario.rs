//! [`Scenario`]: given these events, when this command is executed, then that happens.

use std::error::Error;
use std::fmt::{self, Debug, Write};

use eventcore::{
    Append, AsyncCommandLogic, Event, EventStore, ExecuteError, ExecuteOptions, Execution,
    ExpectedVersion, InMemoryEventStore, NewEvent, ReadAll, ReadStreams, RecordedEvent,
    RetryPolicy, StreamId, execute_with,
};

use crate::block_on::block_on;

/// Given these events, when this command is executed, then that happens: a test of a command on a
/// store in memory. It needs no async runtime, but may run on one.
///
/// ```
/// use eventcore::{
///     Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, Streams, emit,
///     require,
/// };
/// use eventcore_testing::Scenario;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, Event)]
/// enum RoomEvent {
///     Booked { guest: String },
///     Left,
/// }
///
/// #[derive(Debug, PartialEq, thiserror::Error)]
/// #[error("the room is taken by {0}")]
/// struct Taken(String);
///
/// #[derive(Command)]
/// struct Book {
///     #[stream]
///     room: StreamId,
///     guest: String,
/// }
///
/// impl CommandLogic for Book {
///     /// The guest in the room, if any.
///     type State = Option<String>;
///     type Event = RoomEvent;
///
///     fn apply(&self, _: Option<String>, stored: &StoredEvent<RoomEvent>) -> Option<String> {
///         match &stored.event {
///             RoomEvent::Booked { guest } => Some(guest.clone()),
///             RoomEvent::Left => None,
///         }
///     }
///
///     fn handle(
///         &self,
///         guest: Option<String>,
///         streams: Streams<Self>,
///     ) -> Result<NewEvents<Self>, CommandError> {
///         let mut events = NewEvents::new();
///         match guest {
///             Some(guest) if guest == self.guest => {}
///             Some(guest) => require!(false, Taken(guest)),
///             None => emit!(events, streams.room, RoomEvent::Booked { guest: self.guest.clone() }),
///         }
///         Ok(events)
///     }
/// }
///
/// # fn main() -> Result<(), eventcore::InvalidValue> {
/// let book = Book { room: StreamId::new("room-7")?, guest: "ada".to_owned() };
/// let booked = |guest: &str| RoomEvent::Booked { guest: guest.to_owned() };
///
/// Scenario::new()
///     .given("room-7", [booked("bob"), RoomEvent::Left])
///     .when(&book)
///     .then([("room-7", booked("ada"))])
///     .then_state(Some("ada".to_owned()));
///
/// Scenario::new().given("room-7", [booked("ada")]).when(&book).then_nothing();
///
/// let taken = Scenario::new().given("room-7", [booked("bob")]).when(&book);
/// taken.then_rejected("taken by bob");
/// assert_eq!(taken.then_rejected_with::<Taken>(), &Taken("bob".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is tested without `when` and `then`"]
pub struct Scenario {
    store: InMemoryEventStore,
}

/// The result of the command. Each `then…` method panics if the result is different, and reports
/// what was expected and what happened.
#[must_use = "nothing is tested without `then`"]
pub struct Outcome<C: AsyncCommandLogic> {
    result: Result<Execution, ExecuteError>,
    /// The events that the command wrote.
    written: Vec<RecordedEvent>,
    /// The state that the command would find now; `None` unless it was executed.
    state: Option<C::State>,
}

impl Scenario {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds these events to the stream, after its existing events. They may be of any type.
    ///
    /// # Panics
    ///
    /// The stream's name is invalid, or an event cannot be encoded.
    #[track_caller]
    pub fn given<E: Event>(
        self,
        stream: impl AsRef<str>,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        let stream = stream_id(stream.as_ref());
        let append = Append::new().stream(stream.clone(), ExpectedVersion::Unchecked);
        let append = events.into_iter().fold(append, |append, event| {
            append.event(encoded(&stream, &event))
        });
        held(block_on(self.store.append(&append)));
        self
    }

    /// Executes the command once. If the command awaits something, this thread waits for it.
    pub fn when<C: AsyncCommandLogic>(self, command: &C) -> Outcome<C> {
        block_on(self.when_async(command))
    }

    /// Executes the command once, on the runtime that its awaits need.
    pub async fn when_async<C: AsyncCommandLogic>(self, command: &C) -> Outcome<C> {
        let options = ExecuteOptions::new().retry(RetryPolicy::none());
        let before = held(self.store.safe_position().await);
        let result = execute_with(&self.store, command, &options).await;
        let read = ReadAll::new().after(before).limit(u32::MAX);
        let written = held(self.store.read_all(&read).await);
        let state = match &result {
            Ok(execution) => Some(self.state(command, execution).await),
            Err(_) => None,
        };
        Outcome {
            result,
            written,
            state,
        }
    }

    /// The state that the command finds in its streams.
    async fn state<C: AsyncCommandLogic>(&self, command: &C, execution: &Execution) -> C::State {
        let streams = execution.versions.iter();
        let streams = ReadStreams::new(streams.map(|(stream, _)| stream.clone()));
        let read = held(self.store.read_streams(&streams).await);
        let decoded = read.events.into_iter().map(|event| held(event.decode()));
        decoded.fold(C::State::default(), |state, event| {
            command.apply(state, &event)
        })
    }
}

impl<C: AsyncCommandLogic> Outcome<C> {
    /// The command wrote exactly these events in this order, each to its stream. They are compared
    /// in stored form: by type and payload.
    ///
    /// # Panics
    ///
    /// It did not.
    #[track_caller]
    pub fn then<S: AsRef<str>>(&self, events: impl IntoIterator<Item = (S, C::Event)>) -> &Self {
        let expected: Vec<_> = events
            .into_iter()
            .map(|(stream, event)| encoded(&stream_id(stream.as_ref()), &event))
            .collect();
        let same = |(new, stored): (&NewEvent, &RecordedEvent)| {
            new.stream_id == stored.stream_id
                && new.event_type == stored.event_type
                && new.payload == stored.payload
        };
        let all =
            expected.len() == self.written.len() && expected.iter().zip(&self.written).all(same);
        if self.result.is_err() || !all {
            let lines = expected
                .iter()
                .map(|new| format!("{} {} {}", new.stream_id, new.event_type, new.payload));
            self.differs(&listed("these events", lines.collect()));
        }
        self
    }

    /// The command was executed and wrote no event.
    ///
    /// # Panics
    ///
    /// It was not, or it did.
    #[track_caller]
    pub fn then_nothing(&self) -> &Self {
        if self.result.is_err() || !self.written.is_empty() {
            self.differs("no event");
        }
        self
    }

    /// A business rule rejected the command, with a message that contains this text.
    ///
    /// # Panics
    ///
    /// It did not, or the message is different.
    #[track_caller]
    pub fn then_rejected(&self, part: &str) -> &Self {
        let rejection = self
            .result
            .as_ref()
            .err()
            .filter(|error| error.is_business_rule());
        if !rejection.is_some_and(|error| chain(error).contains(part)) {
            self.differs(&format!("a rejection with {part:?} in its message"));
        }
        self
    }

    /// A business rule rejected the command, with an error of this type, which is returned.
    ///
    /// # Panics
    ///
    /// It did not, or the error has another type.
    #[track_caller]
    pub fn then_rejected_with<E: Error + 'static>(&self) -> &E {
        match self
            .result
            .as_ref()
            .err()
            .and_then(|error| error.rejection::<E>())
        {
            Some(rejection) => rejection,
            None => self.differs(&format!(
                "a rejection with a {}",
                std::any::type_name::<E>()
            )),
        }
    }

    /// The command was executed, and would find this state if it were executed again.
    ///
    /// # Panics
    ///
    /// It was not, or it would not.
    #[track_caller]
    pub fn then_state(&self, expected: C::State) -> &Self
    where
        C::State: PartialEq + Debug,
    {
        match &self.state {
            None => self.differs(&format!("the state {expected:?}")),
            Some(state) => assert!(
                *state == expected,
                "expected the state {expected:?}\nbut it is      {state:?}"
            ),
        }
        self
    }

    /// The result of `execute`.
    pub fn result(&self) -> Result<&Execution, &ExecuteError> {
        self.result.as_ref()
    }

    #[track_caller]
    fn differs(&self, expected: &str) -> ! {
        panic!("expected {expected}\nbut there was {}", self.happened())
    }

    fn happened(&self) -> String {
        match &self.result {
            Err(error) if error.is_business_rule() => format!("a rejection: {}", chain(error)),
            Err(error) => format!("a failure: {}", chain(error)),
            Ok(_) => {
                let lines = self.written.iter().map(|stored| {
                    format!(
                        "{} {} {}",
                        stored.stream_id, stored.event_type, stored.payload
                    )
                });
                listed("these events", lines.collect())
            }
        }
    }
}

impl<C: AsyncCommandLogic> Debug for Outcome<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("result", &self.result)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn stream_id(name: &str) -> StreamId {
    held(StreamId::new(name))
}

#[track_caller]
fn encoded<E: Event>(stream: &StreamId, event: &E) -> NewEvent {
    held(NewEvent::encode(stream.clone(), event))
}

fn listed(what: &str, lines: Vec<String>) -> String {
    if lines.is_empty() {
        return "no event".to_owned();
    }
    lines
        .iter()
        .fold(format!("{what}:"), |all, line| all + "\n    " + line)
}

/// Names that are always valid.
#[track_caller]
fn held<T, E: Error>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{}", chain(&error)),
    }
}

/// An error with all its sources.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(told, ": {error}");
        cause = error.source();
    }
    told
}
