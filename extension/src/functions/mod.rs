//! What the server calls: one entry point for every function of `sql/` that is written in Rust, and
//! for every background process.
//!
//! The arguments of a [`Call`] are numbered as in the declaration in `sql/`.

mod errors;

use crate::append::{self, Appended, Request};
use crate::commands::{self, Executed, Execution};
use crate::error::Error;
use crate::guards::{closings, foreign_rows};
use crate::notify::{launcher, notifier};
use crate::pg::array::{bigint_array, nullable_bigint_array, nullable_text_array, text_array};
use crate::pg::function::{Call, Returned};
use crate::pg::raise::entry;
use crate::pg::value::Text;
use crate::read::divergence;
use crate::registry::Registry;
use crate::tables::{Catalog, release};
use crate::wait::standby;
use crate::{projections, read, stat, subscriptions, wait};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};
use std::ffi::CStr;

/// The version of the library.
pub const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no zero in it"),
    };

/// Exports a function under the symbol that `sql/` names.
macro_rules! export {
    ($symbol:ident, $implementation:expr) => {
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $symbol(info: FunctionCallInfo) -> Datum {
            // SAFETY: called by the server, for the declaration in sql/ that names this symbol.
            let call = unsafe { Call::new(info) };
            let implementation: fn(&Call<'_>) -> Returned = $implementation;
            entry(|| {
                let value = implementation(&call)?;
                call.set_null(value.is_none());
                Ok(value.unwrap_or(Datum::null()))
            })
        }

        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($symbol)))]
            extern "C" fn info() -> *const pg_sys::Pg_finfo_record {
                static INFO: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
                &INFO
            }
        };
    };
}

// Appending and reading

export!(eventcore_append_json, |call| {
    append(call, append::read_json(call)?)
});
export!(eventcore_append_arrays, |call| {
    append(call, append::read_arrays(call)?)
});
export!(eventcore_append_compact, |call| {
    let appended = append::append(&append::read_compact(call)?)?;
    Ok(Some(nullable_bigint_array(&appended.compact())))
});
export!(eventcore_read_stream, |call| nothing(read::read_stream(
    call
)));
export!(eventcore_read_streams, |call| nothing(read::read_streams(
    call
)));
export!(eventcore_read_all, |call| nothing(read::read_all(call)));
export!(eventcore_stream_versions, |call| nothing(
    read::stream_versions(call)
));
export!(eventcore_safe_position, |_call| value(safe_position()));
export!(eventcore_require_told, |call| nothing(
    divergence::require_told_to(call)
));
export!(eventcore_wait, |call| row_of(call, wait::wait(call)));
export!(eventcore_before_insert, foreign_rows::before_insert);
export!(eventcore_before_close, closings::before_insert);
export!(eventcore_pass_position, |call| nothing(
    foreign_rows::pass_position(call)
));

// Commands

export!(eventcore_execute, execute);
export!(eventcore_execute_compact, |call| {
    let executed = commands::execute(&Execution::read_compact(call)?)?;
    Ok(Some(nullable_text_array(&executed.compact())))
});

// Monitoring

export!(eventcore_stat_get_appends, stat::appends);
export!(eventcore_stat_get_executions, stat::executions);
export!(eventcore_stat_get_inflight, |call| nothing(stat::inflight(
    call
)));
export!(eventcore_stat_get_notifier, stat::notifier);
export!(eventcore_stat_get_workers, |call| nothing(stat::workers(
    call
)));
export!(eventcore_home_id, |_call| value(Ok(
    Catalog::load()?.home_id()
)));
export!(eventcore_library_version, |_call| text(Ok(Some(version()))));
export!(eventcore_require_library, |_call| nothing(
    release::require_library()
));

// What SQL functions raise

export!(eventcore_check_name, |call| nothing(
    errors::check_argument_name(call)
));
export!(eventcore_fail_malformed, |call| Err(errors::malformed(
    call
)));
export!(eventcore_fail_unknown, |call| Err(
    errors::unknown_subscription(call)
));
export!(eventcore_fail_unknown_projection, |call| Err(
    errors::unknown_projection(call)
));
export!(eventcore_fail_lost, |call| Err(errors::lease_lost(call)?));
export!(eventcore_fail_moved, |call| Err(errors::checkpoint_moved(
    call
)));
export!(eventcore_fail_copied, |call| Err(errors::copied(call)));
export!(eventcore_fail_unavailable, |call| Err(errors::unavailable(
    call
)?));

// Subscriptions

export!(eventcore_see_newest, |call| nothing(
    subscriptions::see_newest(call)
));
export!(eventcore_lock_subscription, |call| nothing(
    subscriptions::lock(call)
));
export!(eventcore_unlock_subscription, |call| {
    subscriptions::unlock(call);
    Ok(None)
});
export!(eventcore_delete_subscription, |call| nothing(
    subscriptions::delete(call)
));
export!(eventcore_announce_work, |call| nothing(
    subscriptions::announce_work(call)
));
export!(eventcore_announced_work, |_call| value(
    subscriptions::announced_work()
));
export!(eventcore_monotonic, |_call| value(Ok(
    subscriptions::monotonic()
)));
export!(eventcore_wait_for_work, |call| {
    Ok(subscriptions::wait_for_work(call)?.map(Datum::from))
});

// Projections

export!(eventcore_lock_events, |_call| nothing(
    projections::lock_events()
));
export!(eventcore_lock_projection, |call| nothing(
    projections::lock(call)
));
export!(eventcore_projection_key, |call| {
    Ok(projections::key(call).map(Datum::from))
});
export!(eventcore_owner_waits_for, |call| text(
    projections::owner_waits_for(call)
));
export!(eventcore_projections_changed, |_call| nothing(
    projections::changed()
));
export!(eventcore_delete_projection, |call| nothing(
    projections::delete(call)
));
export!(eventcore_delete_projection_parked, |call| value(
    projections::delete_parked(call)
));
export!(eventcore_has_used, |call| value(Ok(projections::has_used(
    call
))));
export!(eventcore_wait_for_projection, |call| row_of(
    call,
    projections::wait(call)
));

fn append(call: &Call<'_>, request: Request<'_>) -> Returned {
    let Appended {
        positions,
        versions,
        recorded_at,
        repeated,
    } = append::append(&request)?;
    Ok(Some(call.row([
        positions.map(|(first, _)| Datum::from(first)),
        positions.map(|(_, last)| Datum::from(last)),
        Some(bigint_array(versions.into_iter())),
        Some(Datum::from(recorded_at)),
        Some(Datum::from(repeated)),
    ])))
}

fn execute(call: &Call<'_>) -> Returned {
    let Executed {
        appended,
        streams,
        attempts,
    } = commands::execute(&Execution::read(call)?)?;
    Ok(Some(call.row([
        appended.positions.map(|(first, _)| Datum::from(first)),
        appended.positions.map(|(_, last)| Datum::from(last)),
        Some(text_array(streams.into_iter())),
        Some(bigint_array(appended.versions.into_iter())),
        Some(Datum::from(appended.recorded_at)),
        Some(Datum::from(appended.repeated)),
        Some(Datum::from(attempts)),
    ])))
}

fn safe_position() -> Result<i64, Error> {
    Registry::open(&Catalog::load()?)?.safe_position()
}

fn version() -> Text<'static> {
    Text::copy(VERSION.to_bytes()).keep()
}

/// Returns nothing, or rows that have been added to the result already.
fn nothing(done: Result<(), Error>) -> Returned {
    done.map(|()| None)
}

fn value(value: Result<impl Into<Datum>, Error>) -> Returned {
    Ok(Some(value?.into()))
}

fn text(text: Result<Option<Text<'_>>, Error>) -> Returned {
    Ok(text?.map(Text::datum))
}

/// Returns a row of one column.
fn row_of(call: &Call<'_>, value: Result<i64, Error>) -> Returned {
    Ok(Some(call.row([Some(Datum::from(value?))])))
}

/// The process of a notifier. Its argument is the OID of its database.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_notifier_main(database: Datum) {
    entry(|| notifier::run(database.value() as u32))
}

/// The process of a projection worker. Its argument is the OID of its database.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_projections_main(database: Datum) {
    entry(|| projections::run(database.value() as u32))
}

/// The process that wakes waiters on a hot standby.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_standby_main(_argument: Datum) {
    entry(|| standby::run())
}

/// The process of the launcher.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_launcher_main(_argument: Datum) {
    entry(|| launcher::run())
}
