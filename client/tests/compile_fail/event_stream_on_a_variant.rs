use eventcore::{Event, StreamId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Bad {
    #[stream]
    Opened { account: StreamId },
}

fn main() {}
