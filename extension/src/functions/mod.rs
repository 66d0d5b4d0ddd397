//! What the server calls: one entry point for every function of `sql/` and for the worker.

use crate::append::{self, Appended, Request};
use crate::commands::{self, Executed};
use crate::pg::array::bigint_array;
use crate::pg::function::{Call, Returned};
use crate::pg::raise::entry;
use crate::pg::value::Text;
use crate::registry::Registry;
use crate::tables::Catalog;
mod errors;

use crate::guards::foreign_rows;
use crate::notify::{launcher, notifier};
use crate::read::divergence;
use crate::wait::standby;
use crate::{projections, read, stat, subscriptions, wait};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};

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

export!(eventcore_append_json, |call| append(
    call,
    append::read_json(call)?
));
export!(eventcore_append_arrays, |call| append(
    call,
    append::read_arrays(call)?
));
export!(eventcore_read_stream, |call| read::read_stream(call)
    .map(no_value));
export!(eventcore_read_streams, |call| read::read_streams(call)
    .map(no_value));
export!(eventcore_read_all, |call| read::read_all(call)
    .map(no_value));
export!(eventcore_stream_versions, |call| read::stream_versions(
    call
)
.map(no_value));
export!(eventcore_safe_position, |_call| {
    let catalog = Catalog::load()?;
    let safe = Registry::open(&catalog)?.safe_position()?;
    Ok(Some(Datum::from(safe)))
});
export!(eventcore_require_told, |call| {
    divergence::require_told_to(call).map(no_value)
});
export!(eventcore_execute, |call| {
    let Executed {
        appended,
        streams,
        attempts,
    } = commands::execute(call)?;
    Ok(Some(call.row([
        appended.positions.map(|(first, _)| Datum::from(first)),
        appended.positions.map(|(_, last)| Datum::from(last)),
        Some(streams),
        Some(bigint_array(appended.versions.into_iter())),
        Some(Datum::from(appended.recorded_at)),
        Some(Datum::from(appended.repeated)),
        Some(Datum::from(attempts)),
    ])))
});
export!(eventcore_before_insert, foreign_rows::before_insert);
export!(eventcore_wait, |call| {
    let safe = wait::wait(call)?;
    Ok(Some(call.row([Some(Datum::from(safe))])))
});
export!(eventcore_stat_get_appends, stat::appends);
export!(eventcore_stat_get_inflight, |call| stat::inflight(call)
    .map(no_value));
export!(eventcore_stat_get_notifier, stat::notifier);
export!(eventcore_stat_get_workers, |call| stat::workers(call)
    .map(no_value));

export!(eventcore_check_name, |call| {
    errors::check_argument_name(call).map(no_value)
});
export!(eventcore_fail_malformed, |call| Err(errors::malformed(
    call
)));
export!(eventcore_fail_unknown, |call| Err(
    errors::unknown_subscription(call)
));
export!(eventcore_fail_lost, |call| Err(errors::lease_lost(call)?));
export!(eventcore_fail_moved, |call| Err(errors::checkpoint_moved(
    call
)));
export!(eventcore_see_newest, |call| {
    subscriptions::see_newest(call).map(no_value)
});
export!(eventcore_lock_subscription, |call| {
    subscriptions::lock(call).map(no_value)
});
export!(eventcore_unlock_subscription, |call| {
    subscriptions::unlock(call);
    Ok(None)
});
export!(eventcore_announce_work, |call| {
    subscriptions::announce_work(call).map(no_value)
});
export!(eventcore_announced_work, |_call| {
    Ok(Some(Datum::from(subscriptions::announced_work()?)))
});
export!(eventcore_monotonic, |_call| {
    Ok(Some(Datum::from(subscriptions::monotonic())))
});
export!(eventcore_wait_for_work, |call| {
    Ok(subscriptions::wait_for_work(call)?.map(Datum::from))
});

export!(eventcore_lock_events, |_call| {
    projections::lock_events().map(no_value)
});
export!(eventcore_lock_projection, |call| {
    projections::lock(call).map(no_value)
});
export!(eventcore_projection_key, |call| {
    Ok(projections::key(call).map(Datum::from))
});
export!(eventcore_owner_waits_for, |call| {
    Ok(projections::owner_waits_for(call)?.map(Text::datum))
});
export!(eventcore_projections_changed, |_call| {
    projections::changed().map(no_value)
});
export!(eventcore_delete_projection, |call| {
    projections::delete(call).map(no_value)
});
export!(eventcore_delete_projection_parked, |call| {
    Ok(Some(Datum::from(projections::delete_parked(call)?)))
});
export!(eventcore_has_used, |call| {
    Ok(Some(Datum::from(projections::has_used(call))))
});
export!(eventcore_fail_unknown_projection, |call| Err(
    errors::unknown_projection(call)
));
export!(eventcore_home_id, |_call| {
    Ok(Some(Datum::from(Catalog::load()?.home_id())))
});
export!(eventcore_library_version, |_call| {
    Ok(Some(
        Text::copy(env!("CARGO_PKG_VERSION").as_bytes())
            .keep()
            .datum(),
    ))
});
export!(eventcore_pass_position, |call| {
    foreign_rows::pass_position(call).map(no_value)
});
export!(eventcore_fail_copied, |call| Err(errors::copied(call)));
export!(eventcore_wait_for_projection, |call| {
    let checkpoint = projections::wait(call)?;
    Ok(Some(call.row([Some(Datum::from(checkpoint))])))
});

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

/// The rows of a function that returns a table are on their way already.
fn no_value((): ()) -> Option<Datum> {
    None
}

/// The notifier's process; its argument is the oid of its database.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_notifier_main(database: Datum) {
    entry(|| notifier::run(database.value() as u32))
}

/// The process of a worker for projections; its argument is the oid of its database.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_projections_main(database: Datum) {
    entry(|| projections::run(database.value() as u32))
}

/// The process that wakes those who wait on a hot standby.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_standby_main(_argument: Datum) {
    entry(|| standby::run())
}

/// The launcher's process.
#[unsafe(no_mangle)]
extern "C-unwind" fn eventcore_launcher_main(_argument: Datum) {
    entry(|| launcher::run())
}
