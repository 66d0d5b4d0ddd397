use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[upcast(from = "Paid", with = paid)]
struct Deposited {
    cents: u64,
}

fn paid(cents: u64) -> u64 {
    cents
}

fn main() {}
