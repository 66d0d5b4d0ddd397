//! Loading the library: settings and hooks.

use crate::error::Unavailable;
use crate::guards::{closings, drop, foreign_rows, statements};
use crate::notify::launcher;
use crate::pg::{hooks, raise, shared_memory};
use crate::processes::{self, launcher_latch};
use crate::wait::standby;
use crate::{registry, settings};
use pgrx::pg_guard;

/// Called by the server once it has loaded the library.
#[allow(unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    raise::watch_panics();
    raise::entry(|| {
        if hooks::server_is_starting() {
            return Ok(());
        }
        // CREATE EXTENSION, or a call on a server that was started without the library.
        Err(Unavailable::NotPreloaded.into())
    });
    settings::define();
    hooks::install(&hooks::Hooks {
        request_shared_memory: || {
            shared_memory::request_lock();
            registry::request_shared_memory();
            launcher_latch::request_shared_memory();
            processes::request_shared_memory();
            standby::request_shared_memory();
        },
        attach_shared_memory: || {
            registry::attach_shared_memory();
            launcher_latch::attach_shared_memory();
            processes::attach_shared_memory();
            standby::attach_shared_memory();
        },
        before_drop_relation: drop::before_drop,
        after_create_trigger: statements::after_create_trigger,
        after_alter_relation: statements::after_alter_relation,
        after_alter_column: statements::after_alter_column,
        after_alter_function: statements::after_alter_function,
        after_alter_schema: statements::after_alter_schema,
        after_inherit: statements::after_inherit,
        before_exclusive_use: registry::send_notifier_away,
        after_drop_database: |database| {
            registry::release(database);
            processes::forget(database);
        },
        after_enabling_triggers: |table| {
            closings::after_enabling_triggers(table);
            foreign_rows::after_enabling_triggers(table);
        },
    });
    launcher::register();
}
