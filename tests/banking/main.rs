//! The commands of the banking example in both places: in Rust, as the example has them, and in the database. The
//! same inputs give the same events and the same rejections.

// The example is a program and no library: these are its files.
#[path = "../../examples/banking/src/account_event.rs"]
mod account_event;
#[path = "../../examples/banking/src/account_id.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod account_id;
#[path = "../../examples/banking/src/money.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod money;
#[path = "../../examples/banking/src/open_account.rs"]
mod open_account;
#[path = "../../examples/banking/src/split_mix.rs"]
mod split_mix;
#[path = "../../examples/banking/src/text.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod text;
#[path = "../../examples/banking/src/transfer_money.rs"]
mod transfer_money;

use std::time::{SystemTime, UNIX_EPOCH};

use eventcore::postgres::{CommandDefinition, ServerCommand};
use eventcore::{
    EventStore, ExecuteError, Payload, PostgresEventStore, ReadAll, StreamId, StreamVersion,
    execute,
};
use eventcore_harness::shared;

use crate::account_id::AccountId;
use crate::money::Money;
use crate::open_account::OpenAccount;
use crate::split_mix::SplitMix64;
use crate::transfer_money::TransferMoney;

const INPUTS: u32 = 2_000;
/// Few, so that they are often opened twice, not there, or empty.
const ACCOUNTS: u32 = 12;

// The input of a command in the database is the command's own struct.
const OPEN_ACCOUNT: ServerCommand<OpenAccount> = ServerCommand::new("open_account");
const TRANSFER_MONEY: ServerCommand<TransferMoney> = ServerCommand::new("transfer_money");

enum Input {
    Open(OpenAccount),
    Transfer(TransferMoney),
}

fn input(random: &mut SplitMix64, transfer: u32) -> Input {
    let account = |number: u32| AccountId::new(&format!("{number:03}")).unwrap();
    let from = random.between(1, ACCOUNTS);
    let to = (from + random.between(0, ACCOUNTS - 2)) % ACCOUNTS + 1;
    let cents = Money::cents(random.between(1, 150_000).into());
    match random.between(1, 40) {
        1 => Input::Open(OpenAccount {
            account: account(from),
            cents,
        }),
        _ => Input::Transfer(TransferMoney {
            from: account(from),
            to: account(to),
            cents,
            transfer,
        }),
    }
}

/// What became of an input: the streams and their versions, or the message of the rejection.
type Outcome = Result<Vec<(StreamId, StreamVersion)>, String>;

fn rejected(error: &ExecuteError) -> String {
    assert!(error.is_business_rule(), "{error:?}");
    error.to_string()
}

async fn in_rust(store: &PostgresEventStore, input: &Input) -> Outcome {
    let done = match input {
        Input::Open(open) => execute(store, open).await,
        Input::Transfer(transfer) => execute(store, transfer).await,
    };
    done.map(|done| done.versions)
        .map_err(|error| rejected(&error))
}

async fn in_the_database(store: &PostgresEventStore, input: &Input) -> Outcome {
    let done = match input {
        Input::Open(open) => execute(store, &OPEN_ACCOUNT.with(open)).await,
        Input::Transfer(transfer) => execute(store, &TRANSFER_MONEY.with(transfer)).await,
    };
    done.map(|done| done.versions)
        .map_err(|error| rejected(&error))
}

async fn events(store: &PostgresEventStore) -> Vec<(StreamId, StreamVersion, String, Payload)> {
    let all = store.read_all(&ReadAll::new().limit(1_000_000)).await;
    let all = all.unwrap().into_iter();
    all.map(|event| {
        let name = event.event_type.as_str().to_owned();
        (event.stream_id, event.version, name, event.payload)
    })
    .collect()
}

async fn store(database: &str) -> PostgresEventStore {
    let url = shared().create_database(database).unwrap();
    PostgresEventStore::connect(&url).await.unwrap()
}

async fn store_with_commands(database: &str) -> PostgresEventStore {
    let store = store(database).await;
    shared().psql(database, include_str!("bank.sql")).unwrap();
    let command = |name: &str, apply: &str| {
        CommandDefinition::new(name)
            .apply(apply)
            .handle(format!("bank.{name}"))
    };
    // Both forms of apply.
    for command in [
        command("open_account", "bank.apply").streams(["/account"]),
        command("transfer_money", "bank.apply_events").streams(["/from", "/to"]),
    ] {
        store.register_command(&command).await.unwrap();
    }
    store
}

#[tokio::test]
async fn the_same_inputs_give_the_same_events_and_rejections_in_rust_and_in_the_database() {
    let rust = store("banking_rust").await;
    let database = store_with_commands("banking_database").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = now.as_secs();
    let mut random = SplitMix64::new(seed);
    let (mut accepted, mut rejections) = (0, Vec::new());
    for number in 1..=INPUTS {
        let input = input(&mut random, number);
        let outcome = in_rust(&rust, &input).await;
        let other = in_the_database(&database, &input).await;
        assert_eq!(other, outcome, "input {number} of seed {seed}");
        match outcome {
            Ok(_) => accepted += 1,
            Err(message) => rejections.push(message),
        }
    }
    let (events, others) = (events(&rust).await, events(&database).await);
    assert!(events.len() >= accepted);
    assert_eq!(others, events, "seed {seed}");
    // All rules were put to the test.
    assert!(accepted > 100, "seed {seed}: {accepted}");
    for rule in [
        "is open already",
        "there is no account-",
        "which is less than",
    ] {
        let found = rejections.iter().filter(|message| message.contains(rule));
        assert!(found.count() > 0, "seed {seed}: {rule}");
    }
}
