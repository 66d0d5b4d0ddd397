//! What a process has begun and not finished: its commands are asked for again, and have to be the same.

use super::ProcessError;
use super::ProcessManager;
use super::error::Why;
use super::handle::{Handling, Stopped, Taken, Work, asked};
use super::input::Input;
use super::record::Cause;
use super::standing::Standing;
use crate::store::{EventStore, ReadStream};
use crate::subscription::FollowError;
use crate::values::StreamVersion;

impl<S: EventStore, P: ProcessManager<S>> Handling<'_, S, P> {
    /// The commands of the last trigger, asked for again.
    pub(super) async fn resume<'i>(
        &self,
        input: &'i Input<P::Event>,
        standing: &Standing,
    ) -> Result<Work<'i, S, P::Event>, Stopped> {
        let Some(last) = &standing.last else {
            return Err(self
                .failed(Why::Inconsistent("nothing was accepted"))
                .into());
        };
        let of = |error: ProcessError| error.of(self.process, last.trigger.event_id());
        let taken = self.find(&last.trigger, input).await.map_err(of)?;
        let before = standing.before.as_ref();
        let (_, reaction) = self.react(before, taken.input()).map_err(of)?;
        let (recorded, now) = (&last.commands, asked(&reaction));
        if *recorded != now {
            let [recorded, now] = [recorded, &now].map(|commands| format!("{commands:?}"));
            return Err(of(self.failed(Why::NotDeterministic { recorded, now })).into());
        }
        let names = reaction.timeouts().map(|(name, _)| name);
        if !names.eq(&last.timeouts) || reaction.ends() && !last.ended {
            let recorded = format!("timeouts {:?}, end {}", last.timeouts, last.ended);
            let now = format!("{reaction:?}");
            return Err(of(self.failed(Why::NotDeterministic { recorded, now })).into());
        }
        Ok(Work {
            input: taken,
            reaction,
        })
    }

    /// A trigger that was taken before.
    async fn find<'i>(
        &self,
        cause: &Cause,
        delivered: &'i Input<P::Event>,
    ) -> Result<Taken<'i, P::Event>, ProcessError> {
        if cause.event_id() == delivered.event_id() {
            return Ok(Taken::Delivered(delivered));
        }
        let input = match cause {
            Cause::Timeout(timeout) => Input::Timeout(timeout.clone()),
            Cause::Rejected(rejected) => Input::Rejected(rejected.clone()),
            Cause::Event {
                event_id,
                stream_id,
                version,
            } => {
                let before = StreamVersion::new(version.get().saturating_sub(1));
                let read = ReadStream::new(stream_id.clone()).after(before).limit(1);
                let read = read.up_to_date();
                let events = self.persist(|| self.store.read_stream(&read)).await;
                let events = events.map_err(|error| self.failed(Why::Store(error)))?;
                let found = events.into_iter().find(|event| event.event_id == *event_id);
                let Some(event) = found else {
                    let why = "the event that it has accepted is not in its stream";
                    return Err(self.failed(Why::Inconsistent(why)));
                };
                let event = FollowError::decode(event);
                Input::Event(event.map_err(|error| self.failed(Why::Undecodable(error)))?)
            }
        };
        Ok(Taken::Other(Box::new(input)))
    }
}
