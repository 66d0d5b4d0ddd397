use eventcore::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
enum Account {
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Command)]
struct Deposit {
    #[stream]
    account: StreamId,
    cents: u64,
}

impl CommandLogic for Deposit {
    type State = (); // a deposit depends on nothing
    type Event = Account;

    fn apply(&self, (): (), _: &StoredEvent<Account>) {}

    fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let cents = self.cents;
        emit!(events, streams.account, Account::Deposited { cents });
        Ok(events)
    }
}

#[derive(Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
    cents: u64,
}

impl CommandLogic for Transfer {
    type State = u64; // the balance of `from`
    type Event = Account;

    fn apply(&self, balance: u64, stored: &StoredEvent<Account>) -> u64 {
        match stored.event {
            _ if stored.stream_id != self.from => balance,
            Account::Deposited { cents } => balance + cents,
            Account::Withdrawn { cents } => balance.saturating_sub(cents),
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let cents = self.cents;
        require!(cents <= balance, "only {balance} cents left");
        let mut events = NewEvents::new();
        emit!(events, streams.from, Account::Withdrawn { cents });
        emit!(events, streams.to, Account::Deposited { cents });
        Ok(events)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = PostgresEventStore::connect(&std::env::var("DATABASE_URL")?).await?;
    let (ada, bob): (StreamId, StreamId) = ("account-ada".parse()?, "account-bob".parse()?);

    let account = ada.clone();
    execute(
        &store,
        &Deposit {
            account,
            cents: 100,
        },
    )
    .await?;
    let transfer = Transfer {
        from: ada,
        to: bob,
        cents: 70,
    };
    let done = execute(&store, &transfer).await?;
    println!("{} events in {} attempt", done.written.len(), done.attempts);

    // The same transfer again: 30 cents are left.
    match execute(&store, &transfer).await {
        Err(error) if error.is_business_rule() => println!("{error}"),
        other => panic!("{other:?}"),
    }

    let accounts = Filter::all().stream_prefix("account-");
    let mut events = store.subscribe(Subscribe::from_start().filter(accounts));
    for _ in 0..3 {
        let event = events.next_event().await?;
        println!("{} {} {}", event.stream_id, event.event_type, event.payload);
    }
    Ok(())
}
