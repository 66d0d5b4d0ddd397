//! A struct that declares its streams and decides nothing is executed.

use eventcore::{Command, InMemoryEventStore, StreamId, execute};

#[derive(Command)]
struct Deposit {
    #[stream]
    account: StreamId,
}

async fn run(store: &InMemoryEventStore, deposit: &Deposit) {
    let _ = execute(store, deposit).await;
}

fn main() {}
