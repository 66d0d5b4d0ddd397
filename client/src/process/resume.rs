//! Completes what a process left unfinished: asks the manager for the commands again and checks
//! that they are the same.

use super::ProcessError;
use super::ProcessManager;
use super::error::Kind;
use super::handle::{AcceptedTrigger, CurrentInput, StopReason, TriggerHandler, command_records};
use super::input::Input;
use super::progress::ProcessProgress;
use super::record::TriggerRecord;
use crate::store::{EventStore, ReadStream};
use crate::subscription::FollowError;
use crate::values::StreamVersion;

impl<S: EventStore, P: ProcessManager<S>> TriggerHandler<'_, S, P> {
    /// The commands of the last trigger, asked for again.
    pub(super) async fn resume<'i>(
        &self,
        input: &'i Input<P::Event>,
        progress: &ProcessProgress,
    ) -> Result<AcceptedTrigger<'i, S, P::Event>, StopReason> {
        let Some(last) = &progress.last else {
            return Err(self
                .failed(Kind::Inconsistent(
                    "there are open commands but no accepted trigger",
                ))
                .into());
        };
        let of = |error: ProcessError| error.of(self.process, last.trigger.event_id());
        let taken = self.find(&last.trigger, input).await.map_err(of)?;
        let before = progress.before.as_ref();
        let (_, reaction) = self.react(before, taken.input()).map_err(of)?;
        let (recorded, now) = (&last.commands, command_records(&reaction));
        if *recorded != now {
            let [recorded, now] = [recorded, &now].map(|commands| format!("{commands:?}"));
            return Err(of(self.failed(Kind::NotDeterministic { recorded, now })).into());
        }
        let names = reaction.timeouts().map(|(name, _)| name);
        if !names.eq(&last.timeouts) || reaction.ends() && !last.ended {
            let recorded = format!("timeouts {:?}, end {}", last.timeouts, last.ended);
            let now = format!("{reaction:?}");
            return Err(of(self.failed(Kind::NotDeterministic { recorded, now })).into());
        }
        Ok(AcceptedTrigger {
            input: taken,
            reaction,
        })
    }

    /// Finds a trigger that was accepted before.
    async fn find<'i>(
        &self,
        cause: &TriggerRecord,
        delivered: &'i Input<P::Event>,
    ) -> Result<CurrentInput<'i, P::Event>, ProcessError> {
        if cause.event_id() == delivered.event_id() {
            return Ok(CurrentInput::Delivered(delivered));
        }
        let input = match cause {
            TriggerRecord::Timeout(timeout) => Input::Timeout(timeout.clone()),
            TriggerRecord::Rejected(rejected) => Input::Rejected(rejected.clone()),
            TriggerRecord::Event {
                event_id,
                stream_id,
                version,
            } => {
                let before = StreamVersion::new(version.get().saturating_sub(1));
                let read = ReadStream::new(stream_id.clone()).after(before).limit(1);
                let read = read.up_to_date();
                let events = self.persist(|| self.store.read_stream(&read)).await;
                let events = events.map_err(|error| self.failed(Kind::Store(error)))?;
                let found = events.into_iter().find(|event| event.event_id == *event_id);
                let Some(event) = found else {
                    let why = "the event that the process accepted is not in its stream";
                    return Err(self.failed(Kind::Inconsistent(why)));
                };
                let event = FollowError::decode(event);
                Input::Event(event.map_err(|error| self.failed(Kind::Undecodable(error)))?)
            }
        };
        Ok(CurrentInput::Earlier(Box::new(input)))
    }
}
