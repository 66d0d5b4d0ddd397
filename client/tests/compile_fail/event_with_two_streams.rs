use eventcore::{Event, StreamId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Moved {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
}

fn main() {}
