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
    "tables": "../../sql/tables.sql",
    "copies": "../../sql/copies.sql",
    "history": "../../sql/history.sql",
    "append": "../../sql/append.sql",
    "read": "../../sql/read.sql",
    "stat": "../../sql/stat.sql",
    "subscription_tables": "../../sql/subscription_tables.sql",
    "subscription_support": "../../sql/subscription_support.sql",
    "subscriptions": "../../sql/subscriptions.sql",
    "leasing": "../../sql/leasing.sql",
    "poll": "../../sql/poll.sql",
    "deliveries": "../../sql/deliveries.sql",
    "parked": "../../sql/parked.sql",
    "stat_subscriptions": "../../sql/stat_subscriptions.sql",
    "checkpoints": "../../sql/checkpoints.sql",
    "snapshots": "../../sql/snapshots.sql",
    "commands": "../../sql/commands.sql",
    "projection_tables": "../../sql/projection_tables.sql",
    "projection_support": "../../sql/projection_support.sql",
    "projections": "../../sql/projections.sql",
    "projection_parked": "../../sql/projection_parked.sql",
    "projection_rebuilds": "../../sql/projection_rebuilds.sql",
    "adopt": "../../sql/adopt.sql",
    "check": "../../sql/check.sql",
    "privileges": "../../sql/privileges.sql",
    "roles": "../../sql/roles.sql",
}
