//! The list of checks. The statement of each is a file in `sql/doctor`.

use super::{Check, Severity};

macro_rules! check {
    ($id:literal, $severity:ident, $meaning:literal, $action:literal, $see:literal, $safe:literal) => {
        Check {
            id: $id,
            severity: Severity::$severity,
            meaning: $meaning,
            action: $action,
            see: $see,
            is_safe: $safe,
            is_advice: false,
            sql: Some(include_str!(concat!("../../sql/doctor/", $id, ".sql"))),
            sql_of_monitor: None,
        }
    };
    ($id:literal, $severity:ident, $meaning:literal, $action:literal, $see:literal, $safe:literal, $of_monitor:literal) => {
        Check {
            sql_of_monitor: Some(include_str!(concat!("../../sql/doctor/", $of_monitor))),
            ..check!($id, $severity, $meaning, $action, $see, $safe)
        }
    };
}

/// A check of what may harm later: nothing goes wrong for it now.
macro_rules! advice {
    ($($part:tt)*) => {
        Check {
            is_advice: true,
            ..check!($($part)*)
        }
    };
}

/// What `eventcore_check()` finds: the check `extension` asks it. Without a page, it is that of
/// `eventcore_check()`; without an action, a person has to read that page.
macro_rules! found {
    ($id:literal, $severity:ident, $meaning:literal) => {
        found!(
            $id,
            $severity,
            $meaning,
            "See the page for what it means.",
            false
        )
    };
    ($id:literal, $severity:ident, $meaning:literal, $action:literal, $safe:literal) => {
        found!(
            $id,
            $severity,
            $meaning,
            $action,
            "reference/maintenance.md#eventcore_check",
            $safe
        )
    };
    ($id:literal, $severity:ident, $meaning:literal, $action:literal, $see:literal, $safe:literal) => {
        Check {
            id: $id,
            severity: Severity::$severity,
            meaning: $meaning,
            action: $action,
            see: $see,
            is_safe: $safe,
            is_advice: false,
            sql: None,
            sql_of_monitor: None,
        }
    };
}

/// Asks `eventcore_check()`, whose findings have checks of their own in the list.
pub(super) const EXTENSION: Check = check!(
    "extension",
    Error,
    "something in the schema `eventcore` is not as `CREATE EXTENSION` made it, or does not fit together",
    "See the page for what each finding means.",
    "reference/maintenance.md",
    false
);

/// All checks: of the installation, of the server, of what runs, of the roles. Each finding has the name
/// of one of them.
pub const CHECKS: &[Check] = &[
    EXTENSION,
    found!(
        "not_preloaded",
        Error,
        "the server did not load the library when it started: nothing works",
        "Then restart the server.",
        "operations/troubleshoot.md#by-what-people-say",
        false
    ),
    found!(
        "version",
        Error,
        "the loaded library and the objects in this database are of different versions",
        "If the library is the older one, install the files of the newer version, and restart the server.",
        "operations/upgrade.md",
        false
    ),
    found!(
        "missing_trigger",
        Error,
        "a trigger of a table is missing",
        "",
        true
    ),
    found!(
        "disabled_trigger",
        Error,
        "a trigger of a table is disabled",
        "",
        true
    ),
    found!(
        "foreign_trigger",
        Error,
        "a table has a trigger that `CREATE EXTENSION` did not make"
    ),
    found!(
        "wrong_trigger",
        Error,
        "a trigger is not the one that `CREATE EXTENSION` made"
    ),
    found!(
        "missing_index",
        Error,
        "an index of a table is missing",
        "",
        false
    ),
    found!(
        "invalid_index",
        Error,
        "an index of a table is invalid",
        "",
        false
    ),
    found!(
        "wrong_index",
        Error,
        "an index of a table is on other columns"
    ),
    found!(
        "foreign_index",
        Error,
        "`eventcore.events` has a unique index that `CREATE EXTENSION` did not make"
    ),
    found!(
        "column_missing",
        Error,
        "a column of `eventcore.events` is missing"
    ),
    found!(
        "column_added",
        Error,
        "`eventcore.events` has a column more"
    ),
    found!(
        "column_renamed",
        Error,
        "a column of `eventcore.events` has another name"
    ),
    found!(
        "column_type",
        Error,
        "a column of `eventcore.events` has another type"
    ),
    found!(
        "column_collation",
        Error,
        "a column of `eventcore.events` has another collation"
    ),
    found!(
        "column_null",
        Error,
        "a column of `eventcore.events` takes or refuses NULL, unlike before"
    ),
    found!(
        "constraint",
        Error,
        "`eventcore.events` has a constraint that `CREATE EXTENSION` did not make"
    ),
    found!("unlogged", Error, "a table is unlogged: a crash empties it"),
    found!(
        "row_security",
        Error,
        "a table has row security switched on or off, unlike before"
    ),
    found!("missing_policy", Error, "a policy of a table is missing"),
    found!(
        "foreign_policy",
        Error,
        "a table has a policy that `CREATE EXTENSION` did not make"
    ),
    found!("inherits", Error, "a table inherits, or is inherited from"),
    found!("rule", Error, "a table has a rule"),
    found!(
        "replaced_function",
        Error,
        "a function is not the one that `CREATE EXTENSION` made"
    ),
    found!(
        "positions_behind",
        Error,
        "the sequence of positions was set back",
        "",
        true
    ),
    found!(
        "implausible_position",
        Error,
        "a checkpoint is far beyond the last event",
        "",
        false
    ),
    found!(
        "copy",
        Warning,
        "work of another database is here, and does not run",
        "",
        "operations/backup.md#copies",
        false
    ),
    found!(
        "owner_missing",
        Error,
        "the owner of a projection does not exist",
        "",
        false
    ),
    found!(
        "owner_renamed",
        Warning,
        "the owner of a projection has another name than a dump would carry",
        "",
        true
    ),
    found!(
        "function_missing",
        Error,
        "a function of a command or a projection is gone"
    ),
    found!("table_missing", Error, "a table of a projection is gone"),
    found!(
        "table_replaced",
        Warning,
        "a table of a projection was dropped and created again",
        "",
        false
    ),
    found!(
        "orphans",
        Warning,
        "deliveries of a subscription that is gone are left",
        "",
        true
    ),
    check!(
        "encoding",
        Error,
        "the database is not encoded in UTF8",
        "Move the events to a database that has it: `eventcore export` and `eventcore import --restore`.",
        "operations/checklist.md#data",
        false
    ),
    advice!(
        "update_available",
        Note,
        "the server has files of another version than the objects",
        "Read the page first: an update may need the server to be restarted before.",
        "operations/upgrade.md",
        false
    ),
    advice!(
        "search_path",
        Note,
        "the functions need the name of their schema before them",
        "Or write the schema before the functions.",
        "operations/troubleshoot.md#42883-function-does-not-exist",
        false
    ),
    advice!(
        "unsafe_setting",
        Error,
        "a setting lets a crash lose acknowledged events",
        "",
        "operations/checklist.md#all-at-once",
        false
    ),
    advice!(
        "one_copy",
        Note,
        "there is no archive of the log and no standby",
        "Archive the log, or add a standby.",
        "operations/backup.md",
        false
    ),
    advice!(
        "few_workers",
        Warning,
        "too few background workers",
        "Then restart the server.",
        "operations/configure.md#background-workers",
        false
    ),
    advice!(
        "few_locks",
        Warning,
        "the table of locks is small",
        "Then restart the server.",
        "operations/configure.md",
        false
    ),
    advice!(
        "idle_timeout",
        Warning,
        "a transaction that is left open holds back readers until it ends",
        "",
        "operations/troubleshoot.md#transactions-that-are-left-open",
        false
    ),
    advice!(
        "early_lock_release",
        Note,
        "a transaction releases its locks before its events are on disk",
        "Leave it if nobody acts outside of the database on what a transaction has read.",
        "guides/hot-streams.md",
        false
    ),
    check!(
        "standby_behind",
        Warning,
        "a standby is far behind",
        "Look for what its replay waits for.",
        "operations/replication.md",
        false
    ),
    check!(
        "safe_position_held",
        Error,
        "a transaction has appended, does not end, and holds back all readers",
        "What the transaction appended is rolled back. Have its application commit right after its appends.",
        "operations/monitor.md#appends",
        false
    ),
    check!(
        "unconfirmed",
        Error,
        "no synchronous standby confirms what is committed",
        "Bring the standby back, or name none in synchronous_standby_names.",
        "operations/replication.md#what-is-lost-when",
        false
    ),
    check!(
        "notifier_stands_still",
        Error,
        "listeners and projections are not told of new events",
        "Look for its failure in the findings of `worker_fails`, and in the server's log.",
        "operations/monitor.md#the-notifier-and-other-processes",
        false
    ),
    check!(
        "notifier_away",
        Warning,
        "the notifier has left the database to a session that wants it for itself",
        "Have that job copy the database with pg_dump. If the notifier is away for a single statement, wait for its end.",
        "operations/monitor.md#the-notifier-and-other-processes",
        false
    ),
    check!(
        "worker_fails",
        Error,
        "a process of eventcore has failed within ten minutes",
        "Remove the cause that the failure names; the process is started again by itself.",
        "operations/monitor.md#the-notifier-and-other-processes",
        false
    ),
    check!(
        "conflicts",
        Warning,
        "more than half as many appends are refused as are made",
        "Deploy a release of the application that reads the stream right before it appends, or that spreads its events over more streams.",
        "guides/hot-streams.md",
        false,
        "conflicts.monitor.sql"
    ),
    check!(
        "rolled_back",
        Warning,
        "more than one append in twenty is rolled back",
        "Look for the errors of the application in the server's log.",
        "operations/monitor.md#appends",
        false
    ),
    check!(
        "streams_stopped",
        Error,
        "streams stand still for a parked event",
        "First remove the reason why they failed: `eventcore parked` shows it.",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_without_consumer",
        Warning,
        "a subscription has events and no consumer",
        "Start a consumer of the subscription.",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "expired_leases",
        Warning,
        "a consumer has gone with its events, and none has taken them over",
        "Start a consumer of the subscription: it takes the events over.",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_retries",
        Warning,
        "a consumer fails on an event, and gets it again and again",
        "Deploy a release of the consumer that can handle the event: `eventcore event POSITION` shows it. `eventcore parked NAME park POSITION` sets it aside until then.",
        "operations/monitor.md#subscriptions",
        false,
        "subscription_retries.monitor.sql"
    ),
    check!(
        "subscription_lags",
        Warning,
        "consumers are more than five minutes behind",
        "Start more consumers of the subscription, or have each poll take fewer events.",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_parked",
        Warning,
        "a subscription has set events aside",
        "First remove the reason why they failed: `eventcore parked` shows it.",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_paused",
        Note,
        "a subscription is paused",
        "",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "projection_failed",
        Error,
        "a projection stands still for an event on which it failed",
        "First correct the handler, or what the failure names.",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_waits",
        Error,
        "a projection cannot run",
        "See the page for what it waits for.",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_retries",
        Warning,
        "a projection fails on an event, and tries it again",
        "Correct the handler, or what the failure names. `eventcore projections resume` does not wait for the next try.",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_lags",
        Warning,
        "a projection is more than five minutes behind",
        "Make its handler quicker, or split it by stream_prefixes.",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_parked",
        Warning,
        "a projection has set events aside",
        "First correct the handler: `eventcore parked --projection` shows why they failed.",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_paused",
        Note,
        "a projection is paused",
        "",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "rebuild_does_not_end",
        Warning,
        "a rebuild with a shadow has caught up and does not end",
        "End the transaction that keeps the lock of the projection.",
        "operations/monitor.md#projections",
        false
    ),
    advice!(
        "states_without_command",
        Note,
        "states are kept for a command that is not there any more",
        "",
        "reference/commands.md",
        true
    ),
    advice!(
        "old_executions",
        Note,
        "results of executions are older than 90 days",
        "Keep them as long as a client may repeat a command.",
        "reference/commands.md",
        false
    ),
    advice!(
        "superuser",
        Warning,
        "an application is a superuser",
        "Give the application a role of its own.",
        "operations/roles.md",
        false
    ),
    advice!(
        "owner_is_used",
        Warning,
        "an application owns the tables",
        "Give the application a role of its own.",
        "operations/roles.md#what-protects-the-events",
        false
    ),
    advice!(
        "public_privilege",
        Warning,
        "every role has a privilege on something of eventcore",
        "",
        "operations/roles.md#what-is-granted",
        false
    ),
    advice!(
        "granted_privilege",
        Note,
        "a role has a privilege that `CREATE EXTENSION` did not grant",
        "Or leave it, if it is meant so.",
        "operations/roles.md#what-is-granted",
        false
    ),
];
