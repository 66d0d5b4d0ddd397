//! Loading the library: settings, shared memory, hooks.

use crate::error::Unavailable;
use crate::pg::{hooks, raise, shared_memory};
use crate::{drop_guard, notifier, registry};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_guard;

static MAX_DATABASES: GucSetting<i32> = GucSetting::<i32>::new(64);
static ALLOW_DROP: GucSetting<bool> = GucSetting::<bool>::new(false);

/// How many databases of this server can use the extension.
pub fn max_databases() -> usize {
    usize::try_from(MAX_DATABASES.get()).unwrap_or(1)
}

/// Whether `eventcore.events` may be dropped with events in it.
pub fn allows_drop() -> bool {
    ALLOW_DROP.get()
}

/// What the server calls once it has loaded the library.
#[allow(unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    if !hooks::server_is_starting() {
        // CREATE EXTENSION, or a call from a server that was started without us.
        raise::raise(&Unavailable::NotPreloaded.into());
    }
    define_settings();
    hooks::install(&hooks::Hooks {
        request_shared_memory: || {
            shared_memory::request_lock();
            registry::request_shared_memory();
        },
        attach_shared_memory: registry::attach_shared_memory,
        before_drop_relation: drop_guard::before_drop,
        before_exclusive_use: notifier::make_way,
        after_drop_database: registry::release,
    });
}

fn define_settings() {
    GucRegistry::define_int_guc(
        c"eventcore.max_databases",
        c"How many databases of this server can use eventcore.",
        c"Each takes a few hundred bytes of shared memory.",
        &MAX_DATABASES,
        1,
        65_536,
        GucContext::Postmaster,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"eventcore.allow_drop",
        c"Whether eventcore.events may be dropped while it holds events.",
        c"Off, DROP EXTENSION eventcore is refused as long as there are events.",
        &ALLOW_DROP,
        GucContext::Suset,
        GucFlags::default(),
    );
    hooks::reserve_setting_prefix(c"eventcore");
}
