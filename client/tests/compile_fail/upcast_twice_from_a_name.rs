use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(name = "Deposited.v2")]
#[upcast(from = "Deposited", with = deposited_v1)]
#[upcast(from = "Deposited", with = deposited_v1)]
struct Deposited {
    cents: u64,
}

fn deposited_v1(euros: u64) -> Deposited {
    Deposited { cents: euros * 100 }
}

fn main() {}
