//! `eventcore parked`

use clap::{Args, ValueEnum};
use eventcore_inspect::actions::{ParkedAction, ParkedOf, change_parked, park};
use eventcore_inspect::{Error, Event, Session, projections, subscriptions};
use schemars::JsonSchema;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, flag, left, maybe, right};

/// The arguments of `eventcore parked`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The subscription, or with --projection the projection
    name: String,
    /// What to do
    #[arg(default_value = "list", hide_default_value = true)]
    action: Action,
    /// The positions of the events to replay, discard or park
    positions: Vec<i64>,
    /// Replay or discard all that are parked now
    #[arg(long, conflicts_with = "positions")]
    all: bool,
    /// NAME is a projection in the server
    #[arg(long)]
    projection: bool,
    /// Why they are parked [default: the role]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Show them, and why they were set aside
    List,
    /// Deliver them again
    Replay,
    /// Forget them
    Discard,
    /// Set events of a subscription aside that no consumer has: they wait to be delivered again
    Park,
}

/// How many events one statement reads.
const PAGE: i64 = 1000;

/// What both kinds of parked events have.
trait Parked: Row {
    fn event(&self) -> &Event;
}

impl Parked for subscriptions::ParkedEvent {
    fn event(&self) -> &Event {
        &self.event
    }
}

impl Parked for projections::ParkedEvent {
    fn event(&self) -> &Event {
        &self.event
    }
}

/// The columns of both, and then these.
fn columns(others: &[Column]) -> Vec<Column> {
    let columns = [
        right("POSITION"),
        left("STREAM"),
        right("VERSION"),
        left("TYPE"),
        left("PARKED"),
        right("ATTEMPTS"),
    ];
    [&columns, others].concat()
}

fn cells(event: &Event, parked: String, attempts: i32, others: Vec<String>) -> Vec<String> {
    let mut cells = vec![
        event.position.to_string(),
        event.stream_id.clone(),
        event.version.to_string(),
        event.event_type.clone(),
        parked,
        attempts.to_string(),
    ];
    cells.extend(others);
    cells
}

impl Row for subscriptions::ParkedEvent {
    fn columns() -> Vec<Column> {
        columns(&[left("CONSUMER"), left("REASON")])
    }

    fn cells(&self, show: Show) -> Vec<String> {
        let others = vec![maybe(self.consumer.as_ref()), maybe(self.reason.as_ref())];
        let parked = show.time(self.parked_at);
        cells(&self.event, parked, self.attempts, others)
    }
}

impl Row for projections::ParkedEvent {
    fn columns() -> Vec<Column> {
        columns(&[left("REPLAY"), left("SQLSTATE"), left("REASON")])
    }

    fn cells(&self, show: Show) -> Vec<String> {
        let others = vec![
            flag(self.replay),
            self.sqlstate.clone(),
            self.reason.clone(),
        ];
        let parked = show.time(self.parked_at);
        cells(&self.event, parked, self.attempts, others)
    }
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done<'a> {
    name: &'a str,
    done: &'a str,
    events: i64,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    if arguments.reason.is_some() && arguments.action != Action::Park {
        let message = "--reason goes with park";
        return Err(Failure::Usage(message.to_owned()));
    }
    match arguments.action {
        Action::List if arguments.all || !arguments.positions.is_empty() => Err(Failure::Usage(
            "positions and --all go with replay and discard".to_owned(),
        )),
        Action::List => list(arguments, context).await,
        Action::Replay => change(arguments, ParkedAction::Replay, context).await,
        Action::Discard => change(arguments, ParkedAction::Discard, context).await,
        Action::Park => set_aside(arguments, context).await,
    }
}

async fn list(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let name = &arguments.name;
    match arguments.projection {
        true => context.output.rows(&of_projection(&session, name).await?),
        false => context.output.rows(&of_subscription(&session, name).await?),
    }
}

/// All that are parked, page by page.
async fn all<P: Parked>(
    page: impl AsyncFn(i64) -> Result<Vec<P>, Error>,
) -> Result<Vec<P>, Failure> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = page(after).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = last.event().position;
        all.extend(page);
    }
}

async fn of_subscription(
    session: &Session,
    name: &str,
) -> Result<Vec<subscriptions::ParkedEvent>, Failure> {
    all(async |after| subscriptions::parked(session, name, after, PAGE).await).await
}

async fn of_projection(
    session: &Session,
    name: &str,
) -> Result<Vec<projections::ParkedEvent>, Failure> {
    all(async |after| projections::parked(session, name, after, PAGE).await).await
}

fn positions(parked: &[impl Parked]) -> Vec<i64> {
    parked.iter().map(|one| one.event().position).collect()
}

/// Sends the positions that were seen, and never "all": what is parked meanwhile stays.
async fn change(
    arguments: &Arguments,
    action: ParkedAction,
    context: &Context,
) -> Result<(), Failure> {
    let (name, session) = (&arguments.name, context.writer().await?);
    let of = match arguments.projection {
        true => ParkedOf::Projection,
        false => ParkedOf::Subscription,
    };
    let chosen = match (arguments.all, of) {
        (false, _) if arguments.positions.is_empty() => {
            let message = "give the positions of the events, or --all";
            return Err(Failure::Usage(message.to_owned()));
        }
        (false, _) => arguments.positions.clone(),
        (true, ParkedOf::Subscription) => positions(&of_subscription(&session, name).await?),
        (true, ParkedOf::Projection) => positions(&of_projection(&session, name).await?),
    };
    let (will, done) = match action {
        ParkedAction::Replay => ("delivered again", "replayed"),
        ParkedAction::Discard => ("forgotten", "discarded"),
    };
    let count = chosen.len();
    if count > 0 && (arguments.all || action == ParkedAction::Discard) {
        context
            .confirm(&match count {
                1 => format!("1 parked event of {name:?} is {will}"),
                _ => format!("{count} parked events of {name:?} are {will}"),
            })
            .await?;
    }
    let events = match chosen.is_empty() {
        true => 0,
        false => change_parked(&session, of, name, &chosen, action).await?,
    };
    let thing = Done { name, done, events };
    let words = match events {
        1 => format!("1 parked event of {name:?} is {done}"),
        _ => format!("{events} parked events of {name:?} are {done}"),
    };
    context.output.done(&words, &thing)
}

/// Parks events that wait to be delivered again.
async fn set_aside(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let (name, positions) = (&arguments.name, &arguments.positions);
    if arguments.projection {
        let message =
            "park is for subscriptions: a projection parks by itself with on_error = 'park'";
        return Err(Failure::Usage(message.to_owned()));
    }
    if positions.is_empty() {
        let message = "give the positions of the events to park";
        return Err(Failure::Usage(message.to_owned()));
    }
    let session = context.writer().await?;
    let events = park(&session, name, positions, arguments.reason.as_deref()).await?;
    let done = "parked";
    let thing = Done { name, done, events };
    let words = match events {
        0 => format!("the events of {name:?} are parked already"),
        1 => format!("1 event of {name:?} is parked"),
        _ => format!("{events} events of {name:?} are parked"),
    };
    context.output.done(&words, &thing)
}
