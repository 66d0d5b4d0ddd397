//! The list of checks. The statement of each is a file in `sql/doctor`.

use super::{Check, Severity};

macro_rules! check {
    ($id:literal, $severity:ident, $meaning:literal, $see:literal, $safe:literal) => {
        Check {
            id: $id,
            severity: Severity::$severity,
            meaning: $meaning,
            see: $see,
            is_safe: $safe,
            sql: include_str!(concat!("../../sql/doctor/", $id, ".sql")),
        }
    };
}

/// All checks: of the installation, of the server, of what runs, of the roles.
pub const CHECKS: &[Check] = &[
    check!(
        "extension",
        Error,
        "something in the schema `eventcore` is not as `CREATE EXTENSION` made it, or does not fit together",
        "reference/maintenance.md",
        false
    ),
    check!(
        "encoding",
        Error,
        "the database is not encoded in UTF8",
        "operations/checklist.md#data",
        false
    ),
    check!(
        "update_available",
        Note,
        "the server has files of another version than the objects",
        "operations/upgrade.md",
        false
    ),
    check!(
        "search_path",
        Note,
        "the functions need the name of their schema before them",
        "operations/troubleshoot.md#42883-function-does-not-exist",
        false
    ),
    check!(
        "unsafe_setting",
        Error,
        "a setting lets a crash lose acknowledged events",
        "operations/checklist.md#all-at-once",
        false
    ),
    check!(
        "one_copy",
        Note,
        "there is no archive of the log and no standby",
        "operations/backup.md",
        false
    ),
    check!(
        "few_workers",
        Warning,
        "too few background workers",
        "operations/configure.md#background-workers",
        false
    ),
    check!(
        "few_locks",
        Warning,
        "the table of locks is small",
        "operations/configure.md",
        false
    ),
    check!(
        "idle_timeout",
        Warning,
        "a transaction that is left open holds back readers until it ends",
        "operations/troubleshoot.md#transactions-that-are-left-open",
        false
    ),
    check!(
        "early_lock_release",
        Note,
        "a transaction releases its locks before its events are on disk",
        "guides/hot-streams.md",
        false
    ),
    check!(
        "standby_behind",
        Warning,
        "a standby is far behind",
        "operations/replication.md",
        false
    ),
    check!(
        "safe_position_held",
        Error,
        "a transaction has appended, does not end, and holds back all readers",
        "operations/monitor.md#appends",
        false
    ),
    check!(
        "unconfirmed",
        Error,
        "no synchronous standby confirms what is committed",
        "operations/replication.md#what-is-lost-when",
        false
    ),
    check!(
        "notifier_stands_still",
        Error,
        "listeners and projections are not told of new events",
        "operations/monitor.md#the-notifier-and-other-processes",
        false
    ),
    check!(
        "worker_fails",
        Error,
        "a process of eventcore has failed within ten minutes",
        "operations/monitor.md#the-notifier-and-other-processes",
        false
    ),
    check!(
        "conflicts",
        Warning,
        "more than half as many appends are refused as are made",
        "guides/hot-streams.md",
        false
    ),
    check!(
        "rolled_back",
        Warning,
        "more than one append in twenty is rolled back",
        "operations/monitor.md#appends",
        false
    ),
    check!(
        "streams_stopped",
        Error,
        "streams stand still for a parked event",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_without_consumer",
        Warning,
        "a subscription has events and no consumer",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "expired_leases",
        Warning,
        "a consumer has gone with its events, and none has taken them over",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_lags",
        Warning,
        "consumers are more than five minutes behind",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_parked",
        Warning,
        "a subscription has set events aside",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "subscription_paused",
        Note,
        "a subscription is paused",
        "operations/monitor.md#subscriptions",
        false
    ),
    check!(
        "projection_failed",
        Error,
        "a projection stands still for an event on which it failed",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_waits",
        Error,
        "a projection cannot run",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_retries",
        Warning,
        "a projection fails on an event, and tries it again",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_lags",
        Warning,
        "a projection is more than five minutes behind",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_parked",
        Warning,
        "a projection has set events aside",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "projection_paused",
        Note,
        "a projection is paused",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "rebuild_does_not_end",
        Warning,
        "a rebuild with a shadow has caught up and does not end",
        "operations/monitor.md#projections",
        false
    ),
    check!(
        "states_without_command",
        Note,
        "states are kept for a command that is not there any more",
        "reference/commands.md",
        true
    ),
    check!(
        "old_executions",
        Note,
        "results of executions are older than 90 days",
        "reference/commands.md",
        false
    ),
    check!(
        "superuser",
        Warning,
        "an application is a superuser",
        "operations/roles.md",
        false
    ),
    check!(
        "owner_is_used",
        Warning,
        "an application owns the tables",
        "operations/roles.md#what-protects-the-events",
        false
    ),
    check!(
        "public_privilege",
        Warning,
        "every role has a privilege on something of eventcore",
        "operations/roles.md#what-is-granted",
        false
    ),
    check!(
        "granted_privilege",
        Note,
        "a role has a privilege that `CREATE EXTENSION` did not grant",
        "operations/roles.md#what-is-granted",
        false
    ),
];
