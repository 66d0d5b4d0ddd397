//! What is not available here: SE009.

use super::Report;
use eventcore_rules::ErrorCode;
use serde_json::json;

/// Completes the sentence "eventcore.events …" if one of the extension's triggers is disabled,
/// plain or dropped.
pub const LACKS_TRIGGERS: &str = "lacks one of its triggers, or it is not ENABLE ALWAYS";

/// Why an operation is not available here.
#[derive(Debug, Clone)]
pub enum Unavailable {
    /// The library was not loaded when the server started.
    NotPreloaded,
    /// CREATE EXTENSION was not run in this database, or was undone.
    NotInstalled,
    /// The objects in this database are of an earlier release, and this library does not serve them.
    UpdateNeeded {
        library: &'static str,
        objects: String,
    },
    /// The objects in this database are of a later release than this library.
    RestartNeeded {
        library: &'static str,
        objects: String,
    },
    /// More databases use the extension than `eventcore.max_databases`.
    TooManyDatabases { max: usize },
    /// `eventcore.events` is not as CREATE EXTENSION made it. `what` completes the sentence
    /// "eventcore.events …".
    TableAltered { what: &'static str },
    /// No position is left.
    PositionsExhausted { last: i64 },
    /// A prepared transaction would hold its positions until somebody ends it.
    Prepared,
    /// A procedure that waits would hold a snapshot.
    TransactionBlock { what: &'static str },
    /// A projection has failed and does not advance.
    ProjectionFailed { projection: String, error: String },
    /// The handler of an inline projection called this function.
    InProjection { what: &'static str },
    /// A poll, or a change of a subscription or a projection (`what`), would use the snapshot of
    /// its transaction.
    IsolationLevel { what: String, level: &'static str },
    /// A function of a command called this function.
    InCommand { what: &'static str },
    /// A subscription, a checkpoint or a projection belongs to another database.
    Copied { kind: String, name: String },
    /// The server refuses a setting that a command or a projection was registered with.
    SettingRefused {
        kind: &'static str,
        name: String,
        setting: String,
        error: String,
    },
    /// Logical replication brings the events of another database.
    Replicating,
    /// This logical subscription is enabled, so that copies cannot be adopted.
    StillReplicating {
        subscription: String,
        /// As a statement names it.
        identifier: String,
    },
    /// A projection cannot resume, because its owner does not exist.
    OwnerMissing { projection: String, owner: String },
    /// The schema with the shadow tables of a rebuild does not exist.
    ShadowMissing { schema: String, rebuild: String },
    /// The handler of a rebuild read or wrote the table itself instead of its shadow.
    OriginalUsed {
        handler: String,
        rebuild: String,
        table: String,
    },
    /// A rebuild could not empty a table of its projection.
    RowsLeft {
        table: String,
        rebuild: String,
        projection: String,
    },
    /// A table that is to be dropped contains rows.
    HoldsEvents,
    /// The extension finds this object by its name.
    KeepsName { what: &'static str, name: String },
    /// A crash would empty this table.
    Unlogged { table: String },
    /// This table would become the parent, the child or a partition of another one.
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

    /// What `eventcore.fail_unavailable` raises for a reason and what it is about.
    pub fn raised_in_sql(reason: &str, subjects: &[String]) -> Option<Self> {
        Some(match (reason, subjects) {
            ("replicating", [subscription, identifier]) => Self::StillReplicating {
                subscription: subscription.clone(),
                identifier: identifier.clone(),
            },
            ("owner_missing", [projection, owner]) => Self::OwnerMissing {
                projection: projection.clone(),
                owner: owner.clone(),
            },
            ("shadow_missing", [schema, rebuild]) => Self::ShadowMissing {
                schema: schema.clone(),
                rebuild: rebuild.clone(),
            },
            ("original_used", [handler, rebuild, table]) => Self::OriginalUsed {
                handler: handler.clone(),
                rebuild: rebuild.clone(),
                table: table.clone(),
            },
            ("rows_left", [table, rebuild, projection]) => Self::RowsLeft {
                table: table.clone(),
                rebuild: rebuild.clone(),
                projection: projection.clone(),
            },
            _ => return None,
        })
    }

    /// What DETAIL has besides the reason.
    fn details(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::StillReplicating { subscription, .. } => vec![("subscription", subscription)],
            Self::OwnerMissing { projection, owner } => {
                vec![("projection", projection), ("owner", owner)]
            }
            Self::ShadowMissing { schema, .. } => vec![("schema", schema)],
            Self::OriginalUsed { table, .. } | Self::RowsLeft { table, .. } => {
                vec![("table", table)]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn report(&self) -> Report {
        let (reason, message, hint) = match self {
            Self::NotPreloaded => (
                "not_preloaded",
                "eventcore was not loaded through shared_preload_libraries".to_owned(),
                "Add eventcore to shared_preload_libraries in postgresql.conf and restart the server.",
            ),
            Self::NotInstalled => (
                "not_installed",
                "eventcore is not installed in this database".to_owned(),
                "Run CREATE EXTENSION eventcore.",
            ),
            Self::UpdateNeeded { library, objects } => (
                "update_needed",
                format!(
                    "the library is eventcore {library}, and it cannot use the objects of eventcore {objects} in this \
                     database"
                ),
                "Run ALTER EXTENSION eventcore UPDATE in this database, as a superuser.",
            ),
            Self::RestartNeeded { library, objects } => (
                "restart_needed",
                format!(
                    "the server has loaded the library of eventcore {library}, which does not know the objects of \
                     eventcore {objects}"
                ),
                "Install the files of that version or of a later one, and restart the server.",
            ),
            Self::TooManyDatabases { max } => (
                "too_many_databases",
                format!("more than {max} databases of this server use eventcore"),
                "Raise eventcore.max_databases in postgresql.conf and restart the server.",
            ),
            Self::TableAltered { what } => (
                "table_altered",
                format!("eventcore.events {what}"),
                if *what == LACKS_TRIGGERS {
                    "Run ALTER TABLE eventcore.events ENABLE TRIGGER ALL, which enables them ALWAYS. If a trigger was \
                     dropped, eventcore_check() shows how to create it again."
                } else {
                    "Undo the change: eventcore writes and reads events beneath SQL, where it would not take effect."
                },
            ),
            Self::PositionsExhausted { last } => (
                "positions_exhausted",
                format!(
                    "the next position would be {last}, and the highest is {}",
                    1_i64 << 62
                ),
                "A row with a very high position was inserted by SQL. If that row no longer exists, set the sequence \
                 eventcore.position_blocks back with setval and restart the server.",
            ),
            Self::Prepared => (
                "prepared_transaction",
                "a transaction that has appended events cannot be prepared".to_owned(),
                "Use COMMIT, not PREPARE TRANSACTION.",
            ),
            Self::TransactionBlock { what } => (
                "transaction_block",
                format!("{what} cannot run inside a transaction block"),
                "Call it in autocommit mode: a transaction block would hold a snapshot and delay VACUUM.",
            ),
            Self::ProjectionFailed { projection, error } => (
                "projection_failed",
                format!("projection \"{projection}\" has failed: {error}"),
                "Fix the cause of this error, then call eventcore_resume_projection.",
            ),
            Self::InProjection { what } => (
                "in_projection",
                format!("the handler of an inline projection called {what}"),
                "An inline projection runs inside an append and cannot append events itself. Use an async projection.",
            ),
            Self::IsolationLevel { what, level } if what == "projection" => (
                "isolation_level",
                format!("a projection cannot be created or changed in a {level} transaction block"),
                "Call it as a single statement, or after BEGIN ISOLATION LEVEL READ COMMITTED: the snapshot of this \
                 transaction does not show what other transactions have done since.",
            ),
            Self::IsolationLevel { what, level } => (
                "isolation_level",
                format!("a {what} cannot be polled or changed in a {level} transaction block"),
                "Call it as a single statement, or after BEGIN ISOLATION LEVEL READ COMMITTED: the snapshot of this \
                 transaction does not show what other transactions have done since. Acknowledging works in every \
                 isolation level.",
            ),
            Self::InCommand { what } => (
                "in_command",
                format!("a function of a command called {what}"),
                "A command writes only the events that its function handle returns.",
            ),
            Self::Copied { kind, name } => (
                "copied",
                format!("{kind} \"{name}\" is a copy that belongs to another database"),
                "Use it in the database that it was copied from, or use another name here. If this database replaces \
                 that one, stop the replication and call eventcore_adopt_copies().",
            ),
            Self::SettingRefused {
                kind,
                name,
                setting,
                error,
            } => (
                "setting_refused",
                format!(
                    "{kind} \"{name}\" was registered with a value of {setting} that this server refuses: {error}"
                ),
                "Register the command again with replace => true, or drop the projection and create it again.",
            ),
            Self::Replicating => (
                "replicating",
                "a logical subscription brings the events of another database into this one"
                    .to_owned(),
                "Append in the database that the events come from: it gives out the positions. If this database \
                 replaces that one, run ALTER SUBSCRIPTION … DISABLE, then SELECT * FROM eventcore_adopt_copies().",
            ),
            Self::StillReplicating { subscription, .. } => (
                "replicating",
                format!(
                    "the logical subscription \"{subscription}\" still brings changes of another database"
                ),
                "When the other database is out of use: ALTER SUBSCRIPTION {subscription} DISABLE; ALTER SUBSCRIPTION \
                 {subscription} SET (slot_name = NONE); DROP SUBSCRIPTION {subscription};",
            ),
            Self::OwnerMissing { projection, owner } => (
                "owner_missing",
                format!(
                    "projection \"{projection}\" belongs to the role \"{owner}\", which does not exist"
                ),
                "Create the role, or give the projection to another one with \
                 eventcore_set_projection_owner(name, owner).",
            ),
            Self::ShadowMissing { schema, rebuild } => (
                "shadow_missing",
                format!("the schema \"{schema}\" of \"{rebuild}\" is gone"),
                "Drop the rebuild and begin another.",
            ),
            Self::OriginalUsed {
                handler,
                rebuild,
                table,
            } => (
                "original_used",
                format!(
                    "handler {handler} of \"{rebuild}\" used {table} and not its shadow: a rebuild with a shadow \
                     takes a handler that names its tables without their schema"
                ),
                "Let the handler, and what it calls, name its tables without their schema; or rebuild without a shadow.",
            ),
            Self::RowsLeft {
                table,
                rebuild,
                projection,
            } => (
                "rows_left",
                format!(
                    "rows of {table} could not be deleted: \"{rebuild}\" cannot take the place of \"{projection}\""
                ),
                "A trigger keeps them: drop the rebuild, and rebuild without a shadow.",
            ),
            Self::HoldsEvents => (
                "holds_events",
                "cannot drop the tables of eventcore: they still contain events or subscriptions"
                    .to_owned(),
                "To drop them with everything in them, a superuser sets eventcore.allow_drop to on first.",
            ),
            Self::KeepsName { what, name } => (
                "keeps_name",
                format!(
                    "cannot change the name or the schema of the {what} \"{name}\" of eventcore"
                ),
                "The functions of eventcore find it by this name.",
            ),
            Self::Unlogged { table } => (
                "unlogged",
                format!("cannot make the table eventcore.{table} UNLOGGED: a crash would empty it"),
                "Leave it LOGGED. To make commits faster, set synchronous_commit.",
            ),
            Self::Inherits { table } => (
                "inherits",
                format!("the table eventcore.{table} cannot have a parent, a child or a partition"),
                "eventcore writes and reads events in this table alone. Create a view over both tables.",
            ),
        };
        let hint = match self {
            Self::StillReplicating { identifier, .. } => hint.replace("{subscription}", identifier),
            _ => hint.to_owned(),
        };
        let mut detail = json!({ "reason": reason });
        for (key, value) in self.details() {
            detail[key] = value.into();
        }
        Report {
            code: ErrorCode::Unavailable,
            message,
            detail,
            hint,
        }
    }
}
