//! [`Monitor`]: asks the database once a second, for all browsers together, and remembers the last
//! hour.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use eventcore_inspect::checkpoints::{self, Checkpoint};
use eventcore_inspect::inflight::{self, InFlight};
use eventcore_inspect::projections::{self, Projection};
use eventcore_inspect::stats::{Stats, stats};
use eventcore_inspect::subscriptions::{self, Subscription};
use eventcore_inspect::{Error, ErrorKind, Session, SessionOptions};

use crate::state::{APPLICATION_NAME, State};

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(1);

/// The longest time for a statement of it.
const LONGEST: Duration = Duration::from_secs(2);

/// At most one part in this many of the time is spent on asking.
const SPARE: u32 = 10;

/// How often a lag is remembered, and how many of them are.
pub(crate) const LAG_EVERY: Duration = Duration::from_secs(10);
const LAGS: usize = 360;

/// How many rates are remembered: an hour of seconds.
const RATES: usize = 3_600;

/// For how many readers lags are remembered.
const READERS: usize = 500;

/// What the database said at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) stats: Stats,
    /// What has held readers back for more than a second.
    pub(crate) holder: Option<InFlight>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) projections: Vec<Projection>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Why some readers are unknown: the role may not see them, or the database did not answer.
    pub(crate) problems: Vec<String>,
    /// Which these are.
    unknown: Vec<Kind>,
}

/// What has happened in each second of a time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) events: f32,
    pub(crate) appends: f32,
    pub(crate) conflicts: f32,
    pub(crate) repeats: f32,
    pub(crate) rolled_back: f32,
}

/// What reads events and may lag behind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reader {
    Subscription(String),
    Projection(String),
    Checkpoint(String),
}

/// A kind of readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Subscription,
    Projection,
    Checkpoint,
}

impl Reader {
    fn kind(&self) -> Kind {
        match self {
            Self::Subscription(_) => Kind::Subscription,
            Self::Projection(_) => Kind::Projection,
            Self::Checkpoint(_) => Kind::Checkpoint,
        }
    }
}

/// Everything that is known now.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What the database said last.
    pub(crate) now: Option<Arc<Snapshot>>,
    /// Why it says nothing at the moment.
    pub(crate) problem: Option<String>,
    /// The last hour, the oldest first. A second without an answer has none.
    pub(crate) rates: VecDeque<Option<Rates>>,
    /// The last hour of each reader, in events behind, the oldest first.
    pub(crate) lags: BTreeMap<Reader, VecDeque<i64>>,
}

/// What is known, for all requests.
#[derive(Debug, Default)]
pub(crate) struct Monitor(RwLock<Seen>);

impl Monitor {
    /// Reads what is known. No request may wait within.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The last lags of a reader, [`LAG_EVERY`] apart, the oldest first.
    pub(crate) fn lags(&self, reader: &Reader) -> Vec<i64> {
        self.read(|seen| {
            seen.lags
                .get(reader)
                .map(|lags| lags.iter().copied().collect())
        })
        .unwrap_or_default()
    }
}

/// Asks until the console ends.
pub(crate) async fn run(state: Arc<State>) {
    let mut session = None;
    let mut last: Option<(Instant, Stats)> = None;
    let mut lags_at: Option<Instant> = None;
    loop {
        let began = Instant::now();
        match ask(&state, &mut session).await {
            Ok(snapshot) => {
                let rates = last
                    .as_ref()
                    .and_then(|(at, stats)| rates(*at, stats, &snapshot.stats));
                last = Some((Instant::now(), snapshot.stats.clone()));
                let with_lags = lags_at.is_none_or(|at| at.elapsed() >= LAG_EVERY);
                state.monitor.change(|seen| {
                    push(&mut seen.rates, rates, RATES);
                    if with_lags {
                        remember_lags(&mut seen.lags, snapshot.lags(), &snapshot.unknown);
                    }
                    seen.problem = None;
                    seen.now = Some(Arc::new(snapshot));
                });
                lags_at = if with_lags { Some(began) } else { lags_at };
            }
            Err(error) => {
                last = None;
                state.monitor.change(|seen| {
                    push(&mut seen.rates, None, RATES);
                    seen.problem = Some(error.to_string());
                    seen.now = None;
                });
            }
        }
        let pause = EVERY.saturating_sub(began.elapsed());
        tokio::time::sleep(pause.max(began.elapsed() * SPARE)).await;
    }
}

/// Asks on the session that is there, which stays unless the connection is lost.
async fn ask(state: &State, kept: &mut Option<Session>) -> Result<Snapshot, Error> {
    let is_usable = |session: &Session| !session.is_closed() && session.extension().is_ok();
    let session = match kept.take().filter(is_usable) {
        Some(session) => session,
        None => {
            let options = SessionOptions::read_only(APPLICATION_NAME).statement_timeout(LONGEST);
            Session::open(&state.target, &options).await?
        }
    };
    let session = kept.insert(session);
    let mut problems = Vec::new();
    let mut unknown = Vec::new();
    let mut part = |kind: Kind, error: Error| match error.kind() {
        ErrorKind::NoConnection | ErrorKind::NoExtension => Err(error),
        // The role may not see it, or it did not answer this time.
        _ => {
            problems.push(error.to_string());
            unknown.push(kind);
            Ok(())
        }
    };
    let stats = stats(session).await?;
    // It is only a remark, and nothing can hold readers back while nothing is in flight.
    let holder = match stats.in_flight {
        0 => None,
        _ => match inflight::holder(session).await {
            Err(error) if error.kind() == ErrorKind::Denied => None,
            found => found?,
        },
    };
    let subscriptions = match subscriptions::list(session).await {
        Err(error) => part(Kind::Subscription, error).map(|()| Vec::new()),
        found => found,
    }?;
    let projections = match projections::list(session).await {
        Err(error) => part(Kind::Projection, error).map(|()| Vec::new()),
        found => found,
    }?;
    let checkpoints = match checkpoints::list(session).await {
        Err(error) => part(Kind::Checkpoint, error).map(|()| Vec::new()),
        found => found,
    }?;
    Ok(Snapshot {
        stats,
        holder,
        subscriptions,
        projections,
        checkpoints,
        problems,
        unknown,
    })
}

/// What happened between two answers. `None` if the server has begun to count again.
fn rates(at: Instant, before: &Stats, now: &Stats) -> Option<Rates> {
    let seconds = at.elapsed().as_secs_f32().max(0.001);
    if now.appends < before.appends || now.counted_since != before.counted_since {
        return None;
    }
    let rate = |before: i64, now: i64| now.saturating_sub(before) as f32 / seconds;
    Some(Rates {
        events: rate(before.events, now.events),
        appends: rate(before.appends, now.appends),
        conflicts: rate(before.conflicts, now.conflicts),
        repeats: rate(before.repeats, now.repeats),
        rolled_back: rate(before.rolled_back, now.rolled_back),
    })
}

impl Snapshot {
    /// How many events each reader is behind.
    pub(crate) fn lags(&self) -> impl Iterator<Item = (Reader, i64)> {
        let subscriptions = self.subscriptions.iter();
        let projections = self.projections.iter();
        let checkpoints = self.checkpoints.iter();
        subscriptions
            .map(|of| (Reader::Subscription(of.name.clone()), of.lag_events))
            .chain(projections.map(|of| (Reader::Projection(of.name.clone()), of.lag_events)))
            .chain(checkpoints.map(|of| (Reader::Checkpoint(of.projection.clone()), of.lag_events)))
    }
}

fn remember_lags(
    lags: &mut BTreeMap<Reader, VecDeque<i64>>,
    now: impl Iterator<Item = (Reader, i64)>,
    unknown: &[Kind],
) {
    let now: BTreeMap<Reader, i64> = now.take(READERS).collect();
    // What did not answer is not gone.
    let is_unknown = |reader: &Reader| unknown.contains(&reader.kind());
    lags.retain(|reader, _| now.contains_key(reader) || is_unknown(reader));
    for (reader, lag) in now {
        push(lags.entry(reader).or_default(), lag, LAGS);
    }
}

fn push<T>(ring: &mut VecDeque<T>, value: T, most: usize) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_answer_keeps_its_lags_and_what_is_gone_does_not() {
        let subscription = Reader::Subscription("mails".to_owned());
        let projection = Reader::Projection("sales".to_owned());
        let mut lags = BTreeMap::new();
        let both = [(subscription.clone(), 3), (projection.clone(), 5)];
        remember_lags(&mut lags, both.into_iter(), &[]);
        remember_lags(&mut lags, std::iter::empty(), &[Kind::Projection]);
        assert_eq!(
            lags.into_iter().collect::<Vec<_>>(),
            [(projection, VecDeque::from([5]))]
        );
    }
}
