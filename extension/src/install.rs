//! What `CREATE EXTENSION eventcore` runs: the files of `sql/`, in this order.

use pgrx::extension_sql_file;

/// Installs the files one after the other. Each requires the one before it.
macro_rules! install {
    ($name:tt: $file:tt, $($rest:tt)+) => {
        extension_sql_file!($file, name = $name, bootstrap);
        install!(@after $name, $($rest)+);
    };
    (@after $previous:tt, $name:tt: $file:tt $(,)?) => {
        extension_sql_file!($file, name = $name, requires = [$previous], finalize);
    };
    (@after $previous:tt, $name:tt: $file:tt, $($rest:tt)+) => {
        extension_sql_file!($file, name = $name, requires = [$previous]);
        install!(@after $name, $($rest)+);
    };
}

install! {
    "schema": "../../sql/schema.sql",
    "support_errors": "../../sql/support/errors.sql",
    "support_checks": "../../sql/support/checks.sql",
    "support_settings": "../../sql/support/settings.sql",
    "events_tables": "../../sql/events/tables.sql",
    "events_triggers": "../../sql/events/triggers.sql",
    "copies_home": "../../sql/copies/home.sql",
    "events_history": "../../sql/events/history.sql",
    "events_append": "../../sql/events/append.sql",
    "events_read": "../../sql/events/read.sql",
    "stat": "../../sql/stat.sql",
    "subscriptions_tables": "../../sql/subscriptions/tables.sql",
    "subscriptions_support": "../../sql/subscriptions/support.sql",
    "subscriptions_manage": "../../sql/subscriptions/manage.sql",
    "subscriptions_lease": "../../sql/subscriptions/lease.sql",
    "subscriptions_lease_returned": "../../sql/subscriptions/lease_returned.sql",
    "subscriptions_lease_backlog": "../../sql/subscriptions/lease_backlog.sql",
    "subscriptions_lease_new": "../../sql/subscriptions/lease_new.sql",
    "subscriptions_poll": "../../sql/subscriptions/poll.sql",
    "subscriptions_ack": "../../sql/subscriptions/ack.sql",
    "subscriptions_nack": "../../sql/subscriptions/nack.sql",
    "subscriptions_parked": "../../sql/subscriptions/parked.sql",
    "subscriptions_stat": "../../sql/subscriptions/stat.sql",
    "client_state_checkpoints": "../../sql/client_state/checkpoints.sql",
    "client_state_snapshots": "../../sql/client_state/snapshots.sql",
    "commands_tables": "../../sql/commands/tables.sql",
    "commands_register": "../../sql/commands/register.sql",
    "commands_manage": "../../sql/commands/manage.sql",
    "commands_execute": "../../sql/commands/execute.sql",
    "projections_tables": "../../sql/projections/tables.sql",
    "projections_support": "../../sql/projections/support.sql",
    "projections_owners": "../../sql/projections/owners.sql",
    "projections_triggers": "../../sql/projections/triggers.sql",
    "projections_create": "../../sql/projections/create.sql",
    "projections_manage": "../../sql/projections/manage.sql",
    "projections_worker": "../../sql/projections/worker.sql",
    "projections_parked": "../../sql/projections/parked.sql",
    "projections_rebuild": "../../sql/projections/rebuild.sql",
    "projections_shadow": "../../sql/projections/shadow.sql",
    "projections_stat": "../../sql/projections/stat.sql",
    "copies_adopt": "../../sql/copies/adopt.sql",
    "check_support": "../../sql/check/support.sql",
    "check_expected": "../../sql/check/expected.sql",
    "check_library": "../../sql/check/library.sql",
    "check_tables": "../../sql/check/tables.sql",
    "check_definitions": "../../sql/check/definitions.sql",
    "check_rows": "../../sql/check/rows.sql",
    "check_privileges": "../../sql/check/privileges.sql",
    "check_check": "../../sql/check/check.sql",
    "roles": "../../sql/roles.sql",
}
