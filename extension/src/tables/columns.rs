//! The numbers of the columns of each table, and of its indexes.

/// `eventcore.events`, all of its columns.
pub mod events {
    pub const POSITION: i16 = 1;
    pub const VERSION: i16 = 2;
    pub const RECORDED_AT: i16 = 3;
    pub const EVENT_ID: i16 = 4;
    pub const STREAM_ID: i16 = 5;
    pub const EVENT_TYPE: i16 = 6;
    pub const PAYLOAD: i16 = 7;
    pub const METADATA: i16 = 8;
    pub const CORRELATION_ID: i16 = 9;
    pub const CAUSATION_ID: i16 = 10;
    /// How many columns the table has.
    pub const COUNT: usize = 10;
}

/// The index by position.
pub mod events_by_position {
    pub const POSITION: i16 = 1;
}

/// The index by stream.
pub mod events_by_stream {
    pub const STREAM_ID: i16 = 1;
    pub const VERSION: i16 = 2;
}

/// `eventcore.streams`.
pub mod streams {
    pub const STREAM_ID: i16 = 1;
    pub const STATE: i16 = 2;
}

/// The index by stream.
pub mod streams_by_id {
    pub const STREAM_ID: i16 = 1;
}

/// `eventcore.history`.
pub mod history {
    pub const FIRST_POSITION: i16 = 1;
    pub const RESERVED_POSITION: i16 = 2;
    pub const AGREED_POSITION: i16 = 3;
    pub const SYSTEM: i16 = 5;
    pub const TIMELINE: i16 = 6;
    pub const DATABASE: i16 = 7;
    pub const COUNT: usize = 8;
}

/// The index of `eventcore.subscriptions` by name.
pub mod subscriptions_by_name {
    pub const NAME: i16 = 1;
}

/// `eventcore.commands`.
pub mod commands {
    pub const MAX_ATTEMPTS: i16 = 1;
    pub const SNAPSHOT_EVERY: i16 = 2;
    pub const CHANGED_AT: i16 = 3;
    pub const APPLY: i16 = 5;
    pub const HANDLE: i16 = 6;
    pub const RELATED_STREAMS: i16 = 7;
    pub const STREAMS_FUNCTION: i16 = 8;
    pub const COMBINE: i16 = 9;
    pub const STREAMS: i16 = 10;
    pub const CHECKED_STREAMS: i16 = 11;
    pub const REQUIRED_FIELDS: i16 = 12;
    pub const INITIAL_STATE: i16 = 13;
    pub const SETTINGS: i16 = 14;
    pub const FUNCTION_OWNERS: i16 = 15;
}

/// The index by name.
pub mod commands_by_name {
    pub const NAME: i16 = 1;
}

/// `eventcore.executions`.
pub mod executions {
    pub const RECORDED_AT: i16 = 1;
    pub const FIRST_POSITION: i16 = 2;
    pub const LAST_POSITION: i16 = 3;
    pub const STREAMS: i16 = 6;
    pub const VERSIONS: i16 = 7;
    pub const COUNT: usize = 7;
}

/// The index by command and idempotency key.
pub mod executions_by_key {
    pub const COMMAND: i16 = 1;
    pub const KEY: i16 = 2;
}

/// `eventcore.command_states`.
pub mod command_states {
    pub const FIRST_VERSION: i16 = 1;
    pub const LAST_VERSION: i16 = 2;
    pub const MADE_BY: i16 = 4;
    pub const LAST_EVENT: i16 = 5;
    pub const ROLE: i16 = 6;
    pub const COMMAND: i16 = 7;
    pub const STREAM_ID: i16 = 8;
    pub const STATE: i16 = 9;
    pub const COUNT: usize = 9;
}

/// The index by command, stream and role.
pub mod command_states_by_key {
    pub const COMMAND: i16 = 1;
    pub const STREAM_ID: i16 = 2;
    pub const ROLE: i16 = 3;
}

/// `eventcore.projections`.
pub mod projections {
    pub const CHECKPOINT: i16 = 1;
    pub const SINGLY_UNTIL: i16 = 2;
    pub const RETRY_AT: i16 = 3;
    pub const OWNER: i16 = 5;
    pub const BATCH_SIZE: i16 = 6;
    pub const ATTEMPTS: i16 = 8;
    pub const TAKES_ARRAY: i16 = 9;
    pub const RESET_PENDING: i16 = 10;
    pub const NAME: i16 = 11;
    pub const MODE: i16 = 12;
    pub const STATUS: i16 = 13;
    pub const HANDLER: i16 = 15;
    pub const RESET: i16 = 16;
    pub const STREAM_PREFIXES: i16 = 17;
    pub const EVENT_TYPES: i16 = 18;
    pub const LAST_ERROR: i16 = 21;
    pub const REBUILDS: i16 = 25;
    pub const SHADOW_SCHEMA: i16 = 26;
    pub const INTERRUPTIONS: i16 = 27;
    pub const HOME_ID: i16 = 28;
    pub const SETTINGS: i16 = 30;
    pub const FUNCTION_OWNERS: i16 = 32;
}

/// The index by name.
pub mod projections_by_name {
    pub const NAME: i16 = 1;
}

/// `eventcore.projection_parked`.
pub mod projection_parked {
    pub const POSITION: i16 = 1;
}

/// The index by projection and position, and the index of the events that are to be replayed.
pub mod projection_parked_by_projection {
    pub const PROJECTION: i16 = 1;
    pub const POSITION: i16 = 2;
}
