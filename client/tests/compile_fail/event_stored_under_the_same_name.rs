use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Twice {
    Opened,
    #[event(name = "Opened")]
    Reopened,
}

fn main() {}
