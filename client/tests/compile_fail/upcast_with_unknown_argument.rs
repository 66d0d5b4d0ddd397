use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[upcast(name = "Paid", with = paid)]
struct Deposited {
    cents: u64,
}

fn paid(cents: u64) -> Deposited {
    Deposited { cents }
}

fn main() {}
