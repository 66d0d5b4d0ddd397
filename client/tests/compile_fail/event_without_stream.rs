use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, Streams, emit,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Done;

#[derive(Command)]
struct Bad {
    #[stream]
    account: StreamId,
}

impl CommandLogic for Bad {
    type State = ();
    type Event = Done;

    fn apply(&self, _: (), _: &StoredEvent<Done>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let _ = streams;
        emit!(events, Done);
        Ok(events)
    }
}

fn main() {}
