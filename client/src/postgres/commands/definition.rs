//! [`CommandDefinition`]: of which functions a command in the database is made.

use std::time::SystemTime;

use crate::values::Payload;

/// Of which functions of the database a command there is made, for
/// [`register_command`](crate::PostgresEventStore::register_command).
///
/// A function is given by its name, with its schema unless that is in the `search_path` of the store's user. There
/// may be only one of the name.
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
    /// What it is called: 1 to 255 bytes, no ASCII control characters.
    pub name: String,
    /// The function (state `jsonb`, event `eventcore.events`) that returns the next state.
    pub apply: String,
    /// The function (state `jsonb`, input `jsonb`) that returns the events to write, or raises an error.
    pub handle: String,
    /// JSON pointers to the streams in the input.
    pub streams: Vec<String>,
    /// JSON pointers to streams in the input that are read and checked, and not written.
    pub checked_streams: Vec<String>,
    /// The function (input `jsonb`) that returns the streams, in place of pointers.
    pub streams_function: Option<String>,
    /// The function (state `jsonb`, input `jsonb`) that returns further streams.
    pub related_streams: Option<String>,
    /// The state before the first event; by default `{}`.
    pub initial_state: Payload,
    /// JSON pointers into the input, each with the type of what has to be there.
    pub required_fields: Vec<(String, FieldType)>,
    /// How often an execution may start over because of a stream that it found on the way; by default 10.
    pub max_attempts: u32,
    /// The function (state `jsonb`, state `jsonb`) that makes one state of those of different streams, each folded on
    /// its own.
    pub combine: Option<String>,
    /// How many events of a stream an execution has to read for its state to be kept; 0: it never is; by default 100.
    pub snapshot_every: u32,
    /// Whether it takes the place of a command of the same name; by default there may be none.
    pub replace: bool,
}

/// The type of a field of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// A text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
    /// Anything but null.
    Any,
}

/// A command as the database has it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RegisteredCommand {
    /// How it was registered, its functions with their schemas.
    pub definition: CommandDefinition,
    /// When it was registered, or replaced, or its kept states were discarded.
    pub changed_at: SystemTime,
}

impl CommandDefinition {
    /// A command of this name. It needs [`apply`](Self::apply), [`handle`](Self::handle) and
    /// [`streams`](Self::streams).
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

    /// Sets the function that takes one event into the state.
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

    /// Sets where the input names streams, as JSON pointers: each leads to a string or to an array of strings.
    #[must_use]
    pub fn streams<P: Into<String>>(mut self, pointers: impl IntoIterator<Item = P>) -> Self {
        self.streams = pointers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets where the input names streams that are only read and checked.
    #[must_use]
    pub fn checked_streams<P: Into<String>>(
        mut self,
        pointers: impl IntoIterator<Item = P>,
    ) -> Self {
        self.checked_streams = pointers.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the function that finds the streams in the input, in place of pointers.
    #[must_use]
    pub fn streams_function(mut self, function: impl Into<String>) -> Self {
        self.streams_function = Some(function.into());
        self
    }

    /// Sets the function that finds further streams in the state.
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

    /// Sets how often an execution may start over because of a stream that it found on the way.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the function that makes one state of those of different streams, each folded on its own: then the states of
    /// all long streams are kept, not of the first one only.
    #[must_use]
    pub fn combine(mut self, function: impl Into<String>) -> Self {
        self.combine = Some(function.into());
        self
    }

    /// Sets how many events of a stream an execution has to read for its state to be kept; 0: it never is.
    #[must_use]
    pub fn snapshot_every(mut self, events: u32) -> Self {
        self.snapshot_every = events;
        self
    }

    /// Whether it takes the place of a command of the same name.
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
