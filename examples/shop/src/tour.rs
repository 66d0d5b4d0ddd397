//! [`tour`]: a day in the shop.

use std::fmt::Write;

use eventcore::{
    AsyncCommandLogic, EventStore, ExecuteError, ExecuteOptions, InvalidValue, RetryPolicy,
    execute_with,
};
use tokio::task::{JoinError, JoinSet};

use crate::ids::{InvalidUserName, OrderId, ProductId, UserId, UserName};
use crate::place_order::{OrderRefused, PlaceOrder};
use crate::receive_stock::ReceiveStock;
use crate::register_user::{NameRefused, RegisterUser};
use crate::rename_user::RenameUser;

/// How many users want the last piece at the same time.
const RIVALS: u32 = 10;

/// Why the tour ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A command failed for another reason than a rule of the shop.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// An id of the tour is none.
    #[error(transparent)]
    Id(#[from] InvalidValue),
    /// A name of the tour is none.
    #[error(transparent)]
    Name(#[from] InvalidUserName),
    /// The text cannot be written.
    #[error(transparent)]
    Text(#[from] std::fmt::Error),
    /// A task ended too early.
    #[error(transparent)]
    Task(#[from] JoinError),
}

/// Goes through the shop in an empty store, and tells what happened.
///
/// # Errors
///
/// The store fails.
pub async fn tour<S: EventStore + Clone + 'static>(store: &S) -> Result<String, Failure> {
    let mut text = String::new();
    names(store, &mut text).await?;
    orders(store, &mut text).await?;
    last_piece(store, &mut text).await?;
    Ok(text)
}

async fn names<S: EventStore>(store: &S, text: &mut String) -> Result<(), Failure> {
    let (ada, bob) = (UserId::new("1")?, UserId::new("2")?);
    let register = |user: &UserId, name| {
        let name = UserName::new(name);
        name.map(|name| RegisterUser {
            user: user.clone(),
            name,
        })
    };
    let rename = RenameUser {
        user: ada.clone(),
        name: UserName::new("countess")?,
    };
    tell(
        text,
        "user 1 registers as Ada",
        run(store, &register(&ada, "Ada")?).await?,
    )?;
    tell(
        text,
        "user 2 registers as ADA",
        run(store, &register(&bob, "ADA")?).await?,
    )?;
    tell(text, "user 1 becomes Countess", run(store, &rename).await?)?;
    tell(
        text,
        "user 2 registers as ada",
        run(store, &register(&bob, "ada")?).await?,
    )
}

async fn orders<S: EventStore>(store: &S, text: &mut String) -> Result<(), Failure> {
    let (cup, pot) = (ProductId::new("cup")?, ProductId::new("pot")?);
    for (product, pieces) in [(&cup, 5), (&pot, 2)] {
        let product = product.clone();
        let done = run(store, &ReceiveStock { product, pieces }).await?;
        tell(text, "stock comes in", done)?;
    }
    let order = |id, cups, pots| {
        let items = [(cup.clone(), cups), (pot.clone(), pots)];
        let ids = (OrderId::new(id), UserId::new("1"));
        Ok::<_, InvalidValue>(PlaceOrder::new(ids.0?, ids.1?, items))
    };
    tell(
        text,
        "order 1: 2 cups, 1 pot",
        run(store, &order("1", 2, 1)?).await?,
    )?;
    tell(
        text,
        "order 2: 1 cup, 2 pots",
        run(store, &order("2", 1, 2)?).await?,
    )
}

/// Several users order the last pot at the same time, each with a cup.
async fn last_piece<S>(store: &S, text: &mut String) -> Result<(), Failure>
where
    S: EventStore + Clone + 'static,
{
    let mut rivals = JoinSet::new();
    for rival in 0..RIVALS {
        let items = [(ProductId::new("cup")?, 1), (ProductId::new("pot")?, 1)];
        let order = OrderId::new(&format!("rival-{rival}"))?;
        let order = PlaceOrder::new(order, UserId::new("2")?, items);
        let store = store.clone();
        rivals.spawn(async move { run(&store, &order).await });
    }
    let (mut placed, mut refused) = (0, 0);
    while let Some(done) = rivals.join_next().await {
        match done?? {
            Ok(_) => placed += 1,
            Err(_) => refused += 1,
        }
    }
    writeln!(
        text,
        "{RIVALS} orders for the last pot: {placed} placed, {refused} refused"
    )?;
    Ok(())
}

/// Executes a command: what was written, or the rule that refused it.
async fn run<S: EventStore, C: AsyncCommandLogic>(
    store: &S,
    command: &C,
) -> Result<Result<String, String>, ExecuteError> {
    // Rivals make room for one another as often as it takes.
    let options = ExecuteOptions::new().retry(RetryPolicy::default().attempts(100));
    match execute_with(store, command, &options).await {
        Ok(done) => {
            let written = done.written.iter();
            let written =
                written.map(|event| format!("{} in {}", event.event_type, event.stream_id));
            Ok(Ok(written.collect::<Vec<_>>().join(", ")))
        }
        Err(error) if error.is_business_rule() => Ok(Err(refusal(&error))),
        Err(error) => Err(error),
    }
}

/// Which rule it was: the error comes back as the command has made it.
fn refusal(error: &ExecuteError) -> String {
    if let Some(OrderRefused::OutOfStock { product, .. }) = error.rejection() {
        return format!("too little of {product}");
    }
    match error.rejection::<NameRefused>() {
        Some(refused) => refused.to_string(),
        None => error.to_string(),
    }
}

fn tell(text: &mut String, what: &str, done: Result<String, String>) -> Result<(), Failure> {
    match done {
        Ok(written) => writeln!(text, "{what}: {written}")?,
        Err(refused) => writeln!(text, "{what}: refused, {refused}")?,
    }
    Ok(())
}
