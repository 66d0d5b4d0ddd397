//! A process accepts a trigger: one append with the state after it, its commands and its timeouts.

use std::time::Duration;

use super::ProcessManager;
use super::error::Kind;
use super::handle::{AcceptedTrigger, CurrentInput, StopReason, TriggerHandler, command_records};
use super::input::Input;
use super::progress::ProcessProgress;
use super::record::{Acceptance, Timeout};
use crate::store::{EventStore, NewEvent};
use crate::values::{EventId, StreamVersion};

impl<S: EventStore, P: ProcessManager<S>> TriggerHandler<'_, S, P> {
    pub(super) async fn accept<'i>(
        &self,
        taken: CurrentInput<'i, P::Event>,
        progress: &mut ProcessProgress,
    ) -> Result<AcceptedTrigger<'i, S, P::Event>, StopReason> {
        let input = taken.input();
        let (state, reaction) = self.react(progress.state(), input)?;
        let accepted = Acceptance {
            trigger: input.cause(),
            state,
            commands: command_records(&reaction),
            timeouts: reaction
                .timeouts()
                .map(|(name, _)| name.to_owned())
                .collect(),
            ended: progress.has_ended() || reaction.ends(),
            pending: progress.pending.iter().cloned().collect(),
        };
        let event = accepted.to_event(self.stream.clone());
        let event = event.map_err(|error| self.failed(Kind::Record(error)))?;
        let mut append = self.append(input, progress.version, event);
        for (name, after) in reaction.timeouts() {
            let timeout = self.timeout(input, name, after)?;
            append = append
                .stream(timeout.stream_id.clone(), StreamVersion::EMPTY.exactly())
                .event(timeout);
        }
        self.send(&append).await?;

        progress.version = StreamVersion::new(progress.version.get() + 1);
        progress.last = Some(accepted);
        progress.commands_done = 0;
        Ok(AcceptedTrigger {
            input: taken,
            reaction,
        })
    }

    /// A timeout, in a stream of its own.
    fn timeout(
        &self,
        input: &Input<P::Event>,
        name: &str,
        after: Duration,
    ) -> Result<NewEvent, StopReason> {
        let Some(due) = input.at().after(after) else {
            return Err(self.failed(Kind::Timeout(name.to_owned())).into());
        };
        let timeout = Timeout {
            process: self.process.clone(),
            name: name.to_owned(),
            due,
        };
        let id = EventId::new();
        let stream = self.names.timeout(id.as_uuid());
        let stream = stream.map_err(|invalid| self.failed(Kind::Name(invalid)))?;
        let event = NewEvent::encode(stream, &timeout);
        let event = event.map_err(|error| self.failed(Kind::Record(error)))?;
        Ok(event.event_id(id))
    }
}
