use eventcore::{Event, StreamId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    Opened {
        #[stream]
        account: StreamId,
    },
    Closed,
}

fn main() {}
