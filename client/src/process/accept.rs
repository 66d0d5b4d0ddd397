//! A process takes a trigger: one append of the state after it, of its commands and its timeouts.

use std::time::Duration;

use super::ProcessManager;
use super::error::Why;
use super::handle::{Handling, Stopped, Taken, Work, asked};
use super::input::Input;
use super::record::{Accepted, Timeout};
use super::standing::Standing;
use crate::store::{EventStore, NewEvent};
use crate::values::{EventId, StreamVersion};

impl<S: EventStore, P: ProcessManager<S>> Handling<'_, S, P> {
    pub(super) async fn accept<'i>(
        &self,
        taken: Taken<'i, P::Event>,
        standing: &mut Standing,
    ) -> Result<Work<'i, S, P::Event>, Stopped> {
        let input = taken.input();
        let (state, reaction) = self.react(standing.state(), input)?;
        let accepted = Accepted {
            trigger: input.cause(),
            state,
            commands: asked(&reaction),
            timeouts: reaction
                .timeouts()
                .map(|(name, _)| name.to_owned())
                .collect(),
            ended: standing.has_ended() || reaction.ends(),
            pending: standing.pending.iter().cloned().collect(),
        };
        let event = accepted.to_event(self.stream.clone());
        let event = event.map_err(|error| self.failed(Why::Record(error)))?;
        let mut append = self.append(input, standing.version, event);
        for (name, after) in reaction.timeouts() {
            let timeout = self.timeout(input, name, after)?;
            append = append
                .stream(timeout.stream_id.clone(), StreamVersion::EMPTY.exactly())
                .event(timeout);
        }
        self.send(&append).await?;

        standing.version = StreamVersion::new(standing.version.get() + 1);
        standing.last = Some(accepted);
        standing.marked = 0;
        Ok(Work {
            input: taken,
            reaction,
        })
    }

    /// A timeout in a stream of its own.
    fn timeout(
        &self,
        input: &Input<P::Event>,
        name: &str,
        after: Duration,
    ) -> Result<NewEvent, Stopped> {
        let Some(due) = input.at().after(after) else {
            return Err(self.failed(Why::Timeout(name.to_owned())).into());
        };
        let timeout = Timeout {
            process: self.process.clone(),
            name: name.to_owned(),
            due,
        };
        let id = EventId::new();
        let stream = self.names.timeout(id.as_uuid());
        let stream = stream.map_err(|invalid| self.failed(Why::Name(invalid)))?;
        let event = NewEvent::encode(stream, &timeout);
        let event = event.map_err(|error| self.failed(Why::Record(error)))?;
        Ok(event.event_id(id))
    }
}
