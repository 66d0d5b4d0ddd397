//! What is said beneath a table that shows how far readers are behind.

use eventcore_inspect::inflight::{InFlight, holder};
use eventcore_inspect::subscriptions::Subscription;
use eventcore_inspect::{ErrorKind, Session};

use crate::arguments::Format;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{counted, seconds};

/// Says what holds readers back, if that lasts: then no reader is behind, and yet nothing arrives.
/// Programs ask for `inflight`.
pub(super) async fn remark(session: &Session, context: &Context) -> Result<(), Failure> {
    if context.output.format != Format::Table {
        return Ok(());
    }
    match holder(session).await {
        Ok(Some(holder)) => context.output.note(&told(&holder)),
        Ok(None) => Ok(()),
        // It is only a remark.
        Err(error) if error.kind() == ErrorKind::Denied => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What holds readers back, and for how long.
pub(crate) fn told(holder: &InFlight) -> String {
    let age = holder.age_seconds.map(seconds).unwrap_or_default();
    let Some(pid) = holder.pid else {
        return format!(
            "readers have been held back for {age}, until a synchronous standby confirms what is committed: no lag counts \
             what they cannot see yet; see `eventcore inflight`"
        );
    };
    let about = holder.about();
    let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
    format!(
        "readers have been held back for {age} by process {pid}{about}: no lag counts what they cannot see yet; see \
         `eventcore inflight`"
    )
}

/// Says which of these subscriptions have leases that expired: the consumers with such events are gone
/// or hang, and no other polls.
pub(super) fn remark_expired(found: &[Subscription], context: &Context) -> Result<(), Failure> {
    if context.output.format != Format::Table {
        return Ok(());
    }
    for of in found.iter().filter(|of| of.expired_leases > 0) {
        let since = context.output.show.maybe_time(of.oldest_expired_at);
        let why = match of.paused {
            true => "it is paused",
            false => "the consumer is gone or hangs, and no other polls",
        };
        context.output.note(&format!(
            "subscription {:?}: {} expired, the first {since}, and no poll has taken the events back: {why}",
            of.name,
            counted(of.expired_leases, "lease")
        ))?;
    }
    Ok(())
}
