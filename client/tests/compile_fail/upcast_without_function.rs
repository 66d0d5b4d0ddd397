use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[upcast(from = "Paid")]
struct Deposited {
    cents: u64,
}

fn main() {}
