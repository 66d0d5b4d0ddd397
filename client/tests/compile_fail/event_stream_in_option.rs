use eventcore::{Event, StreamId};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
struct Opened {
    #[stream]
    account: Option<StreamId>,
}

fn main() {}
