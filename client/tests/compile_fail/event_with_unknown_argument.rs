use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum Unknown {
    #[event(rename = "Closed")]
    Opened,
}

fn main() {}
