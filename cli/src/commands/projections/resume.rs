//! Resuming a projection, and whether it fails again at once.

use std::time::{Duration, Instant};

use eventcore_inspect::actions::{ProjectionAction, change_projection};
use eventcore_inspect::projections::{Projection, show};
use eventcore_inspect::{Error, ErrorKind, Session};

use crate::failure::Failure;
use crate::output::maybe;

/// How long to look whether it fails again.
const LONGEST: Duration = Duration::from_secs(5);

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// Resumes a projection. One that had failed is watched until it has handled the event, or for some
/// seconds; if it fails again meanwhile, that is an error.
pub(super) async fn resume(session: &Session, name: &str) -> Result<(), Failure> {
    let before = match show(session, name).await {
        Ok(before) => Some(before),
        // A role that may resume it need not see the view.
        Err(error) if error.kind() == ErrorKind::Denied => None,
        Err(error) => return Err(error.into()),
    };
    change_projection(session, name, ProjectionAction::Resume).await?;
    let Some(before) = before.filter(has_failed) else {
        return Ok(());
    };
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        let now = show(session, name).await?;
        if now.last_error_at > before.last_error_at {
            return Err(failed_again(&now).into());
        }
        if now.checkpoint > before.checkpoint || now.lag_events == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Whether its next event has failed before.
fn has_failed(projection: &Projection) -> bool {
    projection.status == "failed" || projection.attempts > 0
}

fn failed_again(now: &Projection) -> Error {
    let message = format!(
        "projection {:?} is resumed, and failed again on the event at position {}: {} ({})",
        now.name,
        maybe(now.last_error_position),
        maybe(now.last_error.as_ref()),
        maybe(now.last_sqlstate.as_ref())
    );
    let hint = match now.status.as_str() {
        "failed" => {
            "It stands still. Fix its handler, or what the error names, and resume it again."
        }
        _ => "It tries again by itself. Fix its handler, or what the error names.",
    };
    Error::new(ErrorKind::Failed, message).with_hint(hint)
}
