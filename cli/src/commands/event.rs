//! `eventcore event`

use clap::Args;
use eventcore_inspect::events::{at, by_id};
use eventcore_inspect::{Error, Event};
use uuid::Uuid;

use super::rows::fields;
use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore event`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Its position, or its id
    #[arg(value_name = "POSITION|ID")]
    event: EventName,
    /// Look for an id among all events, however long it takes
    #[arg(long)]
    thorough: bool,
}

/// What names an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventName {
    Position(i64),
    Id(Uuid),
}

impl std::str::FromStr for EventName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(position) = text.parse() {
            return Ok(Self::Position(position));
        }
        let id = text.parse().map(Self::Id);
        id.map_err(|_| "is neither a position nor a UUID")
    }
}

/// How many windows of 100,000 positions to look through for an id.
const WINDOWS: usize = 20;

impl EventName {
    /// The event.
    pub(super) async fn find(
        self,
        session: &eventcore_inspect::Session,
        thorough: bool,
    ) -> Result<Event, Failure> {
        let id = match self {
            Self::Position(position) => return Ok(at(session, position).await?),
            Self::Id(id) => id,
        };
        let windows = match thorough {
            true => usize::MAX,
            false => WINDOWS,
        };
        let (found, searched) = by_id(session, id, windows).await?;
        found.ok_or_else(|| {
            let message = format!("there is no event with the id {id}");
            if searched.is_complete {
                return Error::not_found(message).into();
            }
            let message = format!(
                "{message} at the positions {} to {}",
                searched.after + 1,
                searched.up_to
            );
            let hint = "Give --thorough to look everywhere, or make an index on event_id.";
            Error::not_found(message).with_hint(hint).into()
        })
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let event = arguments.event.find(&session, arguments.thorough).await?;
    let fields = fields(&event, context.output.show);
    context.output.record(&event, fields)
}
