//! What cannot be done here: SE009.

/// How the sentence "eventcore.events …" ends where a trigger of ours is disabled, plain or gone.
pub const LACKS_TRIGGERS: &str = "lacks one of its triggers, or it is not ENABLE ALWAYS";

/// Why eventcore cannot do this here.
#[derive(Debug, Clone)]
pub enum Unavailable {
    /// The library was not loaded when the server started.
    NotPreloaded,
    /// CREATE EXTENSION has not been run in this database, or was undone.
    NotInstalled,
    /// More databases use the extension than `eventcore.max_databases`.
    TooManyDatabases { max: usize },
    /// `eventcore.events` is not the table that CREATE EXTENSION made.
    TableAltered { what: &'static str },
    /// There is no position left.
    PositionsExhausted { last: i64 },
    /// A prepared transaction would keep its positions open for ever.
    Prepared,
    /// A procedure that waits would hold a snapshot.
    TransactionBlock { what: &'static str },
    /// A projection comes no further.
    ProjectionFailed { projection: String, error: String },
    /// A handler that runs in an append called this.
    InProjection { what: &'static str },
    /// A poll, or a change of a subscription or a projection, would work on a snapshot that is kept.
    IsolationLevel { what: String, level: &'static str },
    /// A function of a command called this.
    InCommand { what: &'static str },
    /// It belongs to another database.
    Copied { kind: String, name: String },
    /// Dropping it would lose events.
    HoldsEvents,
    /// Our functions find this by its name.
    KeepsName { what: &'static str, name: String },
    /// A crash would empty this table of ours.
    Unlogged { table: String },
    /// This table of ours would be a part of another one, or another one a part of it.
    Inherits { table: String },
}

impl Unavailable {
    /// A subscription, a checkpoint or a projection that belongs to another database.
    pub fn copied(kind: &str, name: &str) -> Self {
        Self::Copied {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NotPreloaded => "not_preloaded",
            Self::NotInstalled => "not_installed",
            Self::TooManyDatabases { .. } => "too_many_databases",
            Self::TableAltered { .. } => "table_altered",
            Self::PositionsExhausted { .. } => "positions_exhausted",
            Self::Prepared => "prepared_transaction",
            Self::TransactionBlock { .. } => "transaction_block",
            Self::ProjectionFailed { .. } => "projection_failed",
            Self::InProjection { .. } => "in_projection",
            Self::IsolationLevel { .. } => "isolation_level",
            Self::InCommand { .. } => "in_command",
            Self::Copied { .. } => "copied",
            Self::HoldsEvents => "holds_events",
            Self::KeepsName { .. } => "keeps_name",
            Self::Unlogged { .. } => "unlogged",
            Self::Inherits { .. } => "inherits",
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::NotPreloaded => {
                "eventcore was not loaded through shared_preload_libraries".into()
            }
            Self::NotInstalled => "eventcore is not installed in this database".into(),
            Self::TooManyDatabases { max } => {
                format!("more than {max} databases of this server use eventcore")
            }
            Self::TableAltered { what } => format!("eventcore.events {what}"),
            Self::PositionsExhausted { last } => {
                format!(
                    "the next position would be {last}, and the highest is {}",
                    1_i64 << 62
                )
            }
            Self::Prepared => "a transaction that has appended events cannot be prepared".into(),
            Self::TransactionBlock { what } => {
                format!("{what} cannot run inside a transaction block")
            }
            Self::ProjectionFailed { projection, error } => {
                format!("projection \"{projection}\" has failed: {error}")
            }
            Self::InProjection { what } => {
                format!("{what} was called by the handler of an inline projection")
            }
            Self::IsolationLevel { what, level } => {
                format!("a {what} cannot be used in a {level} transaction block")
            }
            Self::InCommand { what } => format!("{what} was called by a function of a command"),
            Self::Copied { kind, name } => {
                format!("{kind} \"{name}\" is a copy: it belongs to another database")
            }
            Self::HoldsEvents => {
                "the tables of eventcore hold events or subscriptions and are not dropped".into()
            }
            Self::KeepsName { what, name } => {
                format!("the {what} \"{name}\" of eventcore keeps its name and its schema")
            }
            Self::Unlogged { table } => {
                format!("the table eventcore.{table} cannot be UNLOGGED: a crash would empty it")
            }
            Self::Inherits { table } => {
                format!("the table eventcore.{table} has no parent, no child and no partition")
            }
        }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NotPreloaded => {
                "Add eventcore to shared_preload_libraries in postgresql.conf and restart the server."
            }
            Self::NotInstalled => "Run CREATE EXTENSION eventcore.",
            Self::TooManyDatabases { .. } => {
                "Raise eventcore.max_databases in postgresql.conf and restart the server."
            }
            Self::TableAltered { what } if *what == LACKS_TRIGGERS => {
                "Run ALTER TABLE eventcore.events ENABLE TRIGGER ALL, which enables them ALWAYS. If one was dropped, \
                 eventcore_check() says how it is made."
            }
            Self::TableAltered { .. } => {
                "Events are written beneath SQL, where this would not take effect: undo the change."
            }
            Self::PositionsExhausted { .. } => {
                "A row of a very high position was inserted by SQL. If it is not there, set the sequence \
                 eventcore.position_blocks back with setval and restart the server."
            }
            Self::Prepared => "Use COMMIT, not PREPARE TRANSACTION.",
            Self::ProjectionFailed { .. } => {
                "Mend what the error speaks of and call eventcore_resume_projection."
            }
            Self::InProjection { .. } => {
                "An inline projection takes part in an append; let an async one append."
            }
            Self::TransactionBlock { .. } => {
                "Call it in autocommit mode: a transaction block would hold a snapshot and delay VACUUM."
            }
            Self::IsolationLevel { .. } => {
                "Call it as a single statement, or after BEGIN ISOLATION LEVEL READ COMMITTED: a snapshot that is \
                 kept does not show what others have done. Acknowledging works in every isolation level."
            }
            Self::InCommand { .. } => {
                "A command writes by what its function handle returns, and by nothing else."
            }
            Self::Copied { .. } => {
                "Use it in the database that it was copied from, or under another name here. Where this database takes \
                 the place of that one, stop the replication and call eventcore_adopt_copies()."
            }
            Self::KeepsName { .. } => "The functions of eventcore find it by this name.",
            Self::Unlogged { .. } => {
                "Leave it LOGGED; synchronous_commit decides how long a commit waits for the disk."
            }
            Self::Inherits { .. } => {
                "Events are written and read beneath SQL, in this table alone: make a view over both."
            }
            Self::HoldsEvents => {
                "To drop them with all that they hold, a superuser sets eventcore.allow_drop to on first."
            }
        }
    }
}
