//! [`Monitor`]: asks the database once a second, for all browsers together, and remembers the last
//! hour.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use eventcore_inspect::checkpoints::{self, Checkpoint};
use eventcore_inspect::doctor::{self, Diagnosis};
use eventcore_inspect::projections::{self, Projection};
use eventcore_inspect::stats::{Stats, stats};
use eventcore_inspect::subscriptions::{self, Subscription};
use eventcore_inspect::{Error, Session, SessionOptions, Time};

use crate::state::{APPLICATION_NAME, State};

/// How often the database is asked.
const EVERY: Duration = Duration::from_secs(1);

/// The longest time for a statement of it.
const LONGEST: Duration = Duration::from_secs(2);

/// At most one part in this many of the time is spent on asking.
const SPARE: u32 = 10;

/// How often the doctor is asked.
const DOCTOR_EVERY: Duration = Duration::from_secs(60);

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
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) projections: Vec<Projection>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// What the role may not ask.
    pub(crate) problems: Vec<String>,
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
    /// What the doctor said last, and when.
    pub(crate) diagnosis: Option<(Time, Arc<Diagnosis>)>,
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
    let mut doctor_at: Option<Instant> = None;
    loop {
        let began = Instant::now();
        let is_doctors_turn = doctor_at.is_none_or(|at| at.elapsed() >= DOCTOR_EVERY);
        match ask(&state, &mut session, is_doctors_turn).await {
            Ok((snapshot, diagnosis)) => {
                let rates = last
                    .as_ref()
                    .and_then(|(at, stats)| rates(*at, stats, &snapshot.stats));
                last = Some((Instant::now(), snapshot.stats.clone()));
                let with_lags = lags_at.is_none_or(|at| at.elapsed() >= LAG_EVERY);
                state.monitor.change(|seen| {
                    push(&mut seen.rates, rates, RATES);
                    if with_lags {
                        remember_lags(&mut seen.lags, &snapshot);
                    }
                    if let Some(diagnosis) = diagnosis {
                        seen.diagnosis = Some((Time::now(), Arc::new(diagnosis)));
                    }
                    seen.problem = None;
                    seen.now = Some(Arc::new(snapshot));
                });
                lags_at = if with_lags { Some(began) } else { lags_at };
                doctor_at = if is_doctors_turn {
                    Some(began)
                } else {
                    doctor_at
                };
            }
            Err(error) => {
                session = None;
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

async fn ask(
    state: &State,
    kept: &mut Option<Session>,
    with_doctor: bool,
) -> Result<(Snapshot, Option<Diagnosis>), Error> {
    let session = match kept.take().filter(|session| !session.is_closed()) {
        Some(session) => session,
        None => {
            let options = SessionOptions::read_only(APPLICATION_NAME).statement_timeout(LONGEST);
            Session::open(&state.target, &options).await?
        }
    };
    let session = kept.insert(session);
    let mut problems = Vec::new();
    let snapshot = Snapshot {
        stats: stats(session).await?,
        subscriptions: allowed(subscriptions::list(session).await, &mut problems)?,
        projections: allowed(projections::list(session).await, &mut problems)?,
        checkpoints: allowed(checkpoints::list(session).await, &mut problems)?,
        problems,
    };
    let diagnosis = match with_doctor {
        true => Some(doctor::diagnose(session).await?),
        false => None,
    };
    Ok((snapshot, diagnosis))
}

/// A part that the role may not see is empty, and named.
fn allowed<T>(result: Result<Vec<T>, Error>, problems: &mut Vec<String>) -> Result<Vec<T>, Error> {
    match result {
        Err(error) if error.sqlstate().is_some() => {
            problems.push(error.to_string());
            Ok(Vec::new())
        }
        result => result,
    }
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

fn remember_lags(lags: &mut BTreeMap<Reader, VecDeque<i64>>, snapshot: &Snapshot) {
    let now: BTreeMap<Reader, i64> = snapshot.lags().take(READERS).collect();
    lags.retain(|reader, _| now.contains_key(reader));
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
