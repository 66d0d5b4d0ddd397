//! `eventcore subscriptions`

use clap::{Args, Subcommand, ValueEnum};
use eventcore_inspect::actions::{
    NewSubscription, SubscriptionAction, change_subscription, create_subscription,
};
use eventcore_inspect::subscriptions::{Lease, Subscription, leases, list, show};
use eventcore_inspect::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::held::{remark, remark_expired};
use super::rows::{filter, lag};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Row, Show, counted, flag, left, maybe, right, seconds};

/// The arguments of `eventcore subscriptions`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show one, with its leases
    Show {
        /// The subscription
        name: String,
    },
    /// Create one
    Create(Create),
    /// Let polls get no events until it is resumed
    Pause {
        /// The subscription
        name: String,
    },
    /// End a pause
    Resume {
        /// The subscription
        name: String,
    },
    /// Continue after another position: what is after it is delivered again
    Reset {
        /// The subscription
        name: String,
        /// The position
        #[arg(long, value_name = "POSITION")]
        to: i64,
    },
    /// Remove it with its checkpoint and its parked events
    Drop {
        /// The subscription
        name: String,
    },
}

#[derive(Args)]
struct Create {
    /// Its name
    name: String,
    /// Only streams whose name begins with this; may be given several times
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Option<Vec<String>>,
    /// Only events of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Option<Vec<String>>,
    /// Where it begins: start, now, or a position
    #[arg(long, value_name = "START", default_value = "start")]
    from: String,
    /// How long a consumer has for the events of one poll, as PostgreSQL writes it
    #[arg(long, value_name = "INTERVAL", default_value = "30 seconds")]
    lease: String,
    /// How often a failed event is delivered again before it is parked
    #[arg(long, value_name = "N", default_value_t = 10)]
    retry_limit: i64,
    /// What the stream of a parked event does
    #[arg(long, value_name = "WHAT", default_value = "continue")]
    on_parked: OnParked,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnParked {
    Continue,
    Stop,
}

impl Row for Subscription {
    fn columns() -> Vec<Column> {
        vec![
            left("SUBSCRIPTION"),
            right("POSITIONS BEHIND"),
            left("TIME BEHIND"),
            right("CHECKPOINT"),
            right("LEASED"),
            right("CONSUMERS"),
            right("EXPIRED"),
            right("RETRYING"),
            right("PARKED"),
            right("STOPPED"),
            left("PAUSED"),
            left("LAST ERROR"),
        ]
    }

    fn cells(&self, _: Show) -> Vec<String> {
        vec![
            self.name.clone(),
            self.lag_events.to_string(),
            seconds(self.lag_seconds),
            self.checkpoint.to_string(),
            self.leased.to_string(),
            self.consumers.to_string(),
            self.expired_leases.to_string(),
            self.retrying.to_string(),
            self.parked.to_string(),
            self.streams_stopped.to_string(),
            flag(self.paused),
            maybe(self.last_error.as_ref()),
        ]
    }
}

/// A subscription and its leases.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Detail {
    #[serde(flatten)]
    subscription: Subscription,
    /// Null if the role may not see them.
    lease_list: Option<Vec<Lease>>,
}

/// What was done.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Done<'a> {
    subscription: &'a str,
    done: &'a str,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> Result<(), Failure> {
    let Some(action) = &arguments.action else {
        let session = context.reader().await?;
        let found = list(&session).await?;
        context.output.rows(&found)?;
        remark_expired(&found, context)?;
        return remark(&session, context).await;
    };
    match action {
        Action::Show { name } => show_one(name, context).await,
        Action::Create(create) => create_one(create, context).await,
        Action::Pause { name } => change(name, SubscriptionAction::Pause, "paused", context).await,
        Action::Resume { name } => {
            change(name, SubscriptionAction::Resume, "resumed", context).await
        }
        Action::Reset { name, to } => {
            context.confirm(&format!(
                "subscription {name:?} continues after position {to}, and all its leases are lost"
            )).await?;
            change(name, SubscriptionAction::Reset(*to), "reset", context).await
        }
        Action::Drop { name } => {
            context
                .confirm(&format!(
                    "subscription {name:?} is removed, with its checkpoint and its parked events"
                ))
                .await?;
            change(name, SubscriptionAction::Drop, "dropped", context).await
        }
    }
}

async fn change(
    name: &str,
    action: SubscriptionAction,
    done: &str,
    context: &Context,
) -> Result<(), Failure> {
    let session = context.writer().await?;
    change_subscription(&session, name, action).await?;
    let thing = Done {
        subscription: name,
        done,
    };
    context
        .output
        .done(&format!("subscription {name:?} is {done}"), &thing)
}

async fn create_one(create: &Create, context: &Context) -> Result<(), Failure> {
    let session = context.writer().await?;
    let on_parked = match create.on_parked {
        OnParked::Continue => "continue",
        OnParked::Stop => "stop",
    };
    let new = NewSubscription {
        name: create.name.clone(),
        prefixes: create.prefixes.clone(),
        types: create.types.clone(),
        from: Some(create.from.clone()),
        lease: Some(create.lease.clone()),
        retry_limit: Some(create.retry_limit),
        on_parked: Some(on_parked.to_owned()),
    };
    let (done, words) = match create_subscription(&session, &new).await? {
        true => ("created", "is created"),
        false => ("unchanged", "exists already, with the same definition"),
    };
    let thing = Done {
        subscription: &create.name,
        done,
    };
    context
        .output
        .done(&format!("subscription {:?} {words}", create.name), &thing)
}

async fn show_one(name: &str, context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let subscription = show(&session, name).await?;
    let lease_list = allowed(leases(&session, name).await)?;
    let mut fields = fields(&subscription, context.output.show);
    let lease = |lease: &Lease| {
        format!(
            "{} has {} from position {}, until {}{}",
            lease.consumer,
            counted(lease.events, "event"),
            maybe(lease.first_position),
            context.output.show.time(lease.leased_until),
            match lease.is_expired {
                true => ": expired",
                false => "",
            }
        )
    };
    match &lease_list {
        Some(leases) => fields.extend(leases.iter().map(|found| ("lease", lease(found)))),
        None => fields.push(("lease", "(not permitted to see them)".to_owned())),
    }
    let detail = Detail {
        subscription,
        lease_list,
    };
    context.output.record(&detail, fields)?;
    remark_expired(std::slice::from_ref(&detail.subscription), context)?;
    remark(&session, context).await
}

/// Nothing if the role may not see it.
fn allowed<T>(result: Result<T, Error>) -> Result<Option<T>, Failure> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn fields(of: &Subscription, show: Show) -> Vec<(&'static str, String)> {
    vec![
        ("subscription", of.name.clone()),
        ("paused", of.paused.to_string()),
        ("checkpoint", of.checkpoint.to_string()),
        ("safe position", of.safe_position.to_string()),
        ("lag", lag(of.lag_events, of.lag_seconds)),
        (
            "leased",
            format!(
                "{} in {} of {}; expired: {}",
                counted(of.leased, "event"),
                counted(of.leases, "lease"),
                counted(of.consumers, "consumer"),
                of.expired_leases
            ),
        ),
        (
            "waiting",
            format!(
                "{}, {} of them after a failure",
                counted(of.waiting, "event"),
                of.retrying
            ),
        ),
        ("streams behind", of.streams_behind.to_string()),
        ("parked", of.parked.to_string()),
        ("oldest parked at", show.maybe_time(of.oldest_parked_at)),
        ("streams stopped", of.streams_stopped.to_string()),
        ("last error", maybe(of.last_error.as_ref())),
        ("last error at", show.maybe_time(of.last_error_at)),
        ("prefixes", filter(of.stream_prefixes.as_deref())),
        ("types", filter(of.event_types.as_deref())),
        ("lease time", seconds(of.lease_seconds)),
        ("retry limit", of.retry_limit.to_string()),
        ("on parked", of.on_parked.clone()),
        ("created", show.time(of.created_at)),
        ("copy", of.is_copy.to_string()),
    ]
}
