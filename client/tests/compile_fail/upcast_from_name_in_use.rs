use eventcore::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
enum AccountEvent {
    #[upcast(from = "Deposited", with = deposited_v1)]
    Deposited { cents: u64 },
}

fn deposited_v1(euros: u64) -> AccountEvent {
    AccountEvent::Deposited { cents: euros * 100 }
}

fn main() {}
