//! `eventcore tail`

use clap::Args;
use eventcore::{EventSubscription, EventType, Filter, Subscribe};
use eventcore_inspect::events::{after, safe_position};
use eventcore_inspect::pointer::Pointer;
use eventcore_inspect::search::{Query, Windows, search};
use eventcore_inspect::since::Since;
use eventcore_inspect::{Error, Event, Session};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

/// The arguments of `eventcore tail`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Go on with the events that come, until Ctrl-C
    #[arg(short = 'f', long)]
    follow: bool,
    /// Only streams whose name begins with this; may be given several times
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Option<Vec<String>>,
    /// Only events of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Option<Vec<String>>,
    /// Begin after this position, or at this time: 10m, 2026-11-29T05:00:00Z
    #[arg(long, value_name = "TIME|POSITION")]
    since: Option<Since>,
    /// The most events to show before those that come [default: 10, or all with --since]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u32>,
    /// Print only the payloads, or the part of each that a JSON pointer names, such as /owner/name;
    /// events without that part are left out
    #[arg(
        long,
        value_name = "POINTER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = pointer
    )]
    payload: Option<Pointer>,
}

fn pointer(text: &str) -> Result<Pointer, String> {
    text.parse()
        .map_err(|error: eventcore_inspect::Error| error.to_string())
}

/// Shows one event after the other.
struct Shown<'a> {
    output: &'a Output,
    payload: Option<&'a Pointer>,
    widths: Vec<usize>,
}

impl Shown<'_> {
    fn show(&mut self, event: &Event) -> Result<(), Failure> {
        match self.payload {
            None => self.output.row(event, &mut self.widths),
            Some(pointer) => match pointer.find(&event.payload) {
                Some(part) => self.output.json_line(part),
                None => Ok(()),
            },
        }
    }
}

const LINES: usize = 10;

/// How far back to look for the newest events: 10 million positions.
const WINDOWS: usize = 100;

/// How many events one statement reads.
const PAGE: usize = 1000;

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let safe = safe_position(&session).await?;
    let mut shown = Shown {
        output: &context.output,
        payload: arguments.payload.as_ref(),
        widths: Vec::new(),
    };
    let shown_to = match arguments.since {
        Some(since) => {
            let start = since.position(&session).await?;
            show_from(arguments, &session, (start, safe), &mut shown).await?
        }
        None => {
            let events = newest(arguments, &session, safe).await?;
            for event in &events {
                shown.show(event)?;
            }
            safe
        }
    };
    if !arguments.follow {
        return Ok(());
    }
    // The subscription has connections of its own.
    drop(session);
    let prefixes = arguments.prefixes.as_deref();
    let filter = filter(prefixes, arguments.types.as_deref())?;
    let from = u64::try_from(shown_to).unwrap_or(0);
    let subscribe = Subscribe::after(from.into()).filter(filter);
    follow(context, subscribe, |event| shown.show(event)).await
}

/// The newest matching events up to a position, the oldest of them first.
async fn newest(
    arguments: &Arguments,
    session: &Session,
    safe: i64,
) -> Result<Vec<Event>, Failure> {
    let limit = arguments.lines.map_or(LINES, |lines| lines as usize);
    let query = Query {
        prefixes: arguments.prefixes.clone(),
        types: arguments.types.clone(),
        ..Query::default()
    };
    let windows = Windows::newest_first(0, safe);
    let found = search(session, &query, windows, limit, WINDOWS).await?;
    let mut events = found.events;
    events.reverse();
    Ok(events)
}

/// Shows the events after one position up to another; returns the position up to which it has.
async fn show_from(
    arguments: &Arguments,
    session: &Session,
    (start, safe): (i64, i64),
    shown: &mut Shown<'_>,
) -> Result<i64, Failure> {
    let mut left = arguments.lines.map_or(usize::MAX, |lines| lines as usize);
    let mut position = start;
    while position < safe && left > 0 {
        let page = i64::try_from(left.min(PAGE)).unwrap_or(i64::MAX);
        let prefixes = arguments.prefixes.as_deref();
        let types = arguments.types.as_deref();
        let read = after(session, position, page, prefixes, types).await?;
        for event in &read.events {
            shown.show(event)?;
        }
        left -= read.events.len();
        if read.read_to == position {
            break;
        }
        position = read.read_to;
    }
    Ok(position)
}

/// A filter of the client.
pub(super) fn filter(
    prefixes: Option<&[String]>,
    types: Option<&[String]>,
) -> Result<Filter, Failure> {
    let mut filter = Filter::all();
    for prefix in prefixes.unwrap_or_default() {
        filter = filter.stream_prefix(prefix);
    }
    for name in types.unwrap_or_default() {
        let name =
            EventType::new(name.as_str()).map_err(|error| Failure::Usage(error.to_string()))?;
        filter = filter.event_type(name);
    }
    Ok(filter)
}

/// Shows the events of a subscription as they come, without end. It survives a restart of the
/// server: it misses nothing and shows nothing twice.
pub(super) async fn follow(
    context: &Context,
    subscribe: Subscribe,
    mut show: impl FnMut(&Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = context.store()?;
    let mut subscription = store.subscribe(subscribe);
    loop {
        let event = subscription.next_event().await.map_err(Error::from)?;
        show(&Event::from(event))?;
    }
}
