use eventcore::{Command, StreamId};

#[derive(Command)]
#[eventcore(path = "eventcore")]
struct Deposit {
    #[stream]
    account: StreamId,
}

fn main() {}
