use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, Streams, emit,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Done;

#[derive(Command)]
struct Other {
    #[stream]
    account: StreamId,
}

#[derive(Command)]
struct Bad {
    #[stream]
    account: StreamId,
    other: fn() -> OtherStreams,
}

impl CommandLogic for Bad {
    type State = ();
    type Event = Done;

    fn apply(&self, _: (), _: &StoredEvent<Done>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(events, streams.account, Done);
        emit!(events, (self.other)().account, Done);
        Ok(events)
    }
}

impl CommandLogic for Other {
    type State = ();
    type Event = Done;

    fn apply(&self, _: (), _: &StoredEvent<Done>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(events, streams.account, Done);
        Ok(events)
    }
}

fn main() {}
