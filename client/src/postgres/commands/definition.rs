//! [`CommandDefinition`]: the functions and settings of a command in the database.

use std::time::SystemTime;

use crate::values::Payload;

/// The functions and settings of a command in the database, for
/// [`register_command`](crate::PostgresEventStore::register_command).
///
/// Give the name of a function, with its schema unless the `search_path` of the store's user
/// contains the schema. The name must not be overloaded.
///
/// ```no_run
/// use eventcore::postgres::{CommandDefinition, FieldType};
/// # async fn register(store: eventcore::PostgresEventStore) -> Result<(), eventcore::StoreError> {
/// let transfer = CommandDefinition::new("transfer")
///     .apply("bank.apply")
///     .handle("bank.transfer")
///     .streams(["/from", "/to"])
///     .required_field("/cents", FieldType::Number)
///     .replace(true);
/// store.register_command(&transfer).await
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CommandDefinition {
    /// The name of the command: 1 to 255 bytes, no ASCII control characters.
    pub name: String,
    /// The function (state `jsonb`, event `eventcore.events`) that returns the next state; or (state
    /// `jsonb`, events `eventcore.events[]`), which gets one or more consecutive events of one
    /// stream. What it takes decides how it is called.
    pub apply: String,
    /// The function (state `jsonb`, input `jsonb`) that returns the events to write, or raises an
    /// error.
    pub handle: String,
    /// JSON pointers to the streams in the input.
    pub streams: Vec<String>,
    /// JSON pointers to streams in the input that are read and checked but not written.
    pub checked_streams: Vec<String>,
    /// The function (input `jsonb`) that returns the streams, instead of pointers.
    pub streams_function: Option<String>,
    /// The function (state `jsonb`, input `jsonb`) that returns further streams.
    pub related_streams: Option<String>,
    /// The state before the first event; by default `{}`.
    pub initial_state: Payload,
    /// JSON pointers into the input, each with the type of the required value.
    pub required_fields: Vec<(String, FieldType)>,
    /// How many times an execution may start again because of a stream that it discovered; by
    /// default 10.
    pub max_attempts: u32,
    /// The function (state `jsonb`, state `jsonb`) that combines the states of two streams, each
    /// folded separately; or (states `jsonb[]`), for two or more.
    pub combine: Option<String>,
    /// From how many newly read events of a stream on an execution saves its state; 0 means never;
    /// by default 100.
    pub snapshot_every: u32,
    /// Whether to replace a command of the same name. By default such a command is an error.
    pub replace: bool,
}

/// The type of a field of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// A string.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
    /// Any value but null.
    Any,
}

/// A command as registered in the database.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RegisteredCommand {
    /// Its definition, with the schemas of its functions.
    pub definition: CommandDefinition,
    /// When it was registered, replaced, or its saved states were discarded.
    pub changed_at: SystemTime,
}

impl CommandDefinition {
    /// A command of this name. [`apply`](Self::apply), [`handle`](Self::handle) and
    /// [`streams`](Self::streams) are required.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            apply: String::new(),
            handle: String::new(),
            streams: Vec::new(),
            checked_streams: Vec::new(),
            streams_function: None,
            related_streams: None,
            initial_state: Payload::from_json("{}"),
            required_fields: Vec::new(),
            max_attempts: 10,
            combine: None,
            snapshot_every: 100,
            replace: false,
        }
    }

    /// Sets the function that applies one event, or an array of events, to the state.
    #[must_use]
    pub fn apply(mut self, function: impl Into<String>) -> Self {
        self.apply = function.into();
        self
    }

    /// Sets the function that decides.
    #[must_use]
    pub fn handle(mut self, function: impl Into<String>) -> Self {
        self.handle = function.into();
        self
    }

    /// Sets the JSON pointers to the streams in the input. Each must lead to a string or to an
    /// array of strings.
    #[must_use]
    pub fn streams<P: Into<String>>(mut self, pointers: impl IntoIterator<Item = P>) -> Self {
        self.streams = pointers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the JSON pointers to streams that are only read and checked.
    #[must_use]
    pub fn checked_streams<P: Into<String>>(
        mut self,
        pointers: impl IntoIterator<Item = P>,
    ) -> Self {
        self.checked_streams = pointers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the function that returns the streams, instead of pointers.
    #[must_use]
    pub fn streams_function(mut self, function: impl Into<String>) -> Self {
        self.streams_function = Some(function.into());
        self
    }

    /// Sets the function that discovers further streams from the state.
    #[must_use]
    pub fn related_streams(mut self, function: impl Into<String>) -> Self {
        self.related_streams = Some(function.into());
        self
    }

    /// Sets the state before the first event.
    #[must_use]
    pub fn initial_state(mut self, state: impl Into<Payload>) -> Self {
        self.initial_state = state.into();
        self
    }

    /// Requires a field of the input, given as a JSON pointer.
    #[must_use]
    pub fn required_field(mut self, pointer: impl Into<String>, field: FieldType) -> Self {
        self.required_fields.push((pointer.into(), field));
        self
    }

    /// Sets how many times an execution may start again because of a stream that it discovered.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the function that combines the states of streams, each folded separately. With it,
    /// the states of all long streams are saved, not only of the first.
    #[must_use]
    pub fn combine(mut self, function: impl Into<String>) -> Self {
        self.combine = Some(function.into());
        self
    }

    /// Sets from how many newly read events of a stream on an execution saves its state; 0 means
    /// never.
    #[must_use]
    pub fn snapshot_every(mut self, events: u32) -> Self {
        self.snapshot_every = events;
        self
    }

    /// Sets whether to replace a command of the same name.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }
}

impl FieldType {
    const ALL: [Self; 6] = [
        Self::String,
        Self::Number,
        Self::Boolean,
        Self::Object,
        Self::Array,
        Self::Any,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::Any => "any",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
