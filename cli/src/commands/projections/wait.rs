//! Waiting for a projection and for its rebuild, with progress.

use std::time::Instant;

use eventcore_inspect::projections::{RebuildProgress, RebuildWatch, last_position, show, wait};
use eventcore_inspect::since::Duration;
use eventcore_inspect::{Error, ErrorKind, Session};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::progress::Progress;
use crate::context::Context;
use crate::failure::Failure;

/// How long one statement waits: between two of them the progress is shown.
const SLICE: std::time::Duration = std::time::Duration::from_millis(500);

/// A projection that has reached a position.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Waited {
    projection: String,
    /// The position that was waited for.
    position: i64,
    /// All matching events up to here have been handled.
    pub(super) checkpoint: i64,
}

/// Waits until a projection has reached a position, by default that of the last event. Fails if the
/// time is up before.
pub(super) async fn wait_for(
    session: &Session,
    name: &str,
    position: Option<i64>,
    timeout: Option<Duration>,
    context: &Context,
) -> Result<Waited, Failure> {
    let target = match position {
        Some(position) => position,
        None => last_position(session).await?,
    };
    let mut waiting = Waiting::new(session, name, target, timeout, context);
    loop {
        let checkpoint = wait(session, name, target, waiting.slice()).await?;
        if checkpoint >= target {
            waiting.progress.finish();
            return Ok(Waited {
                projection: name.to_owned(),
                position: target,
                checkpoint,
            });
        }
        waiting.at(checkpoint).await?;
    }
}

/// Rebuilds a projection, and waits until the rebuild shows everything; one with a shadow has taken
/// its place then.
pub(super) async fn rebuild(
    session: &Session,
    name: &str,
    with_shadow: bool,
    timeout: Option<Duration>,
    context: &Context,
) -> Result<(), Failure> {
    let watch = RebuildWatch::begin(session, name, with_shadow).await?;
    let (watched, target) = (watch.watched(), watch.target());
    let mut waiting = Waiting::new(session, watched, target, timeout, context);
    loop {
        let how = match watch.wait(session, waiting.slice()).await? {
            RebuildProgress::Done => {
                waiting.progress.finish();
                return Ok(());
            }
            RebuildProgress::At(checkpoint) => {
                waiting.at(checkpoint).await?;
                continue;
            }
            RebuildProgress::Dropped => "was dropped",
            RebuildProgress::Superseded => {
                "has ended, and another one has taken the place of the projection since"
            }
        };
        let message = format!("the rebuild of projection {name:?} {how}");
        return Err(Error::new(ErrorKind::Failed, message).into());
    }
}

/// A wait that is not over.
struct Waiting<'a> {
    session: &'a Session,
    name: &'a str,
    target: i64,
    timeout: Option<std::time::Duration>,
    began: Instant,
    /// Where it was when it was seen first.
    from: Option<i64>,
    progress: Progress,
    /// What was said to hold it back.
    said: Option<String>,
}

impl<'a> Waiting<'a> {
    fn new(
        session: &'a Session,
        name: &'a str,
        target: i64,
        timeout: Option<Duration>,
        context: &Context,
    ) -> Self {
        Self {
            session,
            name,
            target,
            timeout: timeout.map(|timeout| timeout.0),
            began: Instant::now(),
            from: None,
            progress: Progress::new(context, 0, target),
            said: None,
        }
    }

    /// How long to wait now.
    fn slice(&self) -> std::time::Duration {
        let left = self
            .timeout
            .map(|timeout| timeout.saturating_sub(self.began.elapsed()));
        left.map_or(SLICE, |left| left.min(SLICE))
    }

    /// Shows the progress, and what holds the projection back. An error if the time is up.
    async fn at(&mut self, checkpoint: i64) -> Result<(), Failure> {
        let from = *self.from.get_or_insert(checkpoint);
        let handled = u64::try_from(checkpoint.saturating_sub(from)).unwrap_or(0);
        self.progress.at(checkpoint, handled)?;
        let held_by = match show(self.session, self.name).await {
            Ok(found) if found.status != "running" => Some(format!("it is {}", found.status)),
            Ok(found) => found.waits_for.map(|what| format!("it waits for: {what}")),
            // It has ended since.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(timeout) = self.timeout
            && self.began.elapsed() >= timeout
        {
            let (name, target) = (self.name, self.target);
            let message = format!(
                "projection {name:?} is at position {checkpoint} of {target} after {} s",
                timeout.as_secs_f64()
            );
            let hint = match held_by {
                Some(why) => format!("{why}; see eventcore projections show {name:?}"),
                None => "It goes on in the server. Wait longer.".to_owned(),
            };
            return Err(Error::new(ErrorKind::Failed, message)
                .with_hint(hint)
                .into());
        }
        if held_by.is_some() && held_by != self.said {
            let why = held_by.clone().unwrap_or_default();
            let note = format!(
                "projection {:?} is at position {checkpoint}: {why}",
                self.name
            );
            self.progress.note(&note)?;
        }
        self.said = held_by;
        Ok(())
    }
}
