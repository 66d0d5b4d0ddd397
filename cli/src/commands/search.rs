//! `eventcore search`

use clap::Args;
use eventcore_inspect::events::safe_position;
use eventcore_inspect::search::{Condition, Query, Windows, search};
use eventcore_inspect::since::Since;
use uuid::Uuid;

use crate::context::Context;
use crate::failure::Failure;

/// The arguments of `eventcore search`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only streams whose name begins with this; may be given several times
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Option<Vec<String>>,
    /// Only events of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Option<Vec<String>>,
    /// Only after this position, or from this time on: 10m, 2026-11-29T05:00:00Z
    #[arg(long, value_name = "TIME|POSITION")]
    since: Option<Since>,
    /// Only up to this position, or before this time
    #[arg(long, value_name = "TIME|POSITION")]
    until: Option<Since>,
    /// Only this operation
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
    /// Only events whose payload fulfils this: a JSON pointer, and a comparison (= != < <= > >= ^=)
    /// with a JSON value or a text: '/cents > 100', '/owner = Ada', '/discount'
    #[arg(long = "where", value_name = "CONDITION", value_parser = condition)]
    condition: Option<Condition>,
    /// Oldest first
    #[arg(long)]
    forward: bool,
    /// The most events to show
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Look at all events, however long it takes
    #[arg(long)]
    thorough: bool,
}

/// How many windows of 100,000 positions to look through.
const WINDOWS: usize = 100;

fn condition(text: &str) -> Result<Condition, String> {
    text.parse()
        .map_err(|error: eventcore_inspect::Error| error.to_string())
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let after = match arguments.since {
        Some(since) => since.position(&session).await?,
        None => 0,
    };
    let up_to = match arguments.until {
        Some(until) => until.position(&session).await?,
        None => safe_position(&session).await?,
    };
    if after > up_to {
        return Err(Failure::Usage("--since is later than --until".to_owned()));
    }
    let query = Query {
        prefixes: arguments.prefixes.clone(),
        types: arguments.types.clone(),
        correlation: arguments.correlation,
        causation: None,
        condition: arguments.condition.clone(),
    };
    let windows = match arguments.forward {
        true => Windows::oldest_first(after, up_to),
        false => Windows::newest_first(after, up_to),
    };
    let most = match arguments.thorough {
        true => usize::MAX,
        false => WINDOWS,
    };
    let found = search(&session, &query, windows, arguments.limit, most).await?;
    context.output.rows_of(&found.events, &found)?;
    let searched = found.searched;
    if !searched.is_complete {
        let (option, position) = match arguments.forward {
            true => ("--since", searched.up_to),
            false => ("--until", searched.after),
        };
        context
            .output
            .note(&format!("There may be more: {option} {position}"))?;
    }
    Ok(())
}
