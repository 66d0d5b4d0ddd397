//! What was seen at one moment, and the rates between the moments.

use std::collections::VecDeque;

use eventcore_inspect::inflight::{self, InFlight};
use eventcore_inspect::projections::{self, Projection};
use eventcore_inspect::search::{Query, Windows, search};
use eventcore_inspect::stats::{Stats, stats};
use eventcore_inspect::subscriptions::{self, Subscription};
use eventcore_inspect::{Error, Event, Session};

/// How many moments are kept: the widest sparkline.
const KEPT: usize = 300;

/// How many of the last events are shown.
const EVENTS: usize = 8;

/// What was seen at one moment.
pub(super) struct Sample {
    pub(super) stats: Stats,
    pub(super) in_flight: Vec<InFlight>,
    /// Those that are furthest behind first.
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) projections: Vec<Projection>,
    /// The newest first.
    pub(super) events: Vec<Event>,
}

impl Sample {
    pub(super) async fn take(session: &Session) -> Result<Self, Error> {
        let stats = stats(session).await?;
        let in_flight = inflight::list(session).await?;
        let mut subscriptions = subscriptions::list(session).await?;
        subscriptions.sort_by(|a, b| b.lag_seconds.total_cmp(&a.lag_seconds));
        let mut projections = projections::list(session).await?;
        projections.sort_by(|a, b| b.lag_seconds.total_cmp(&a.lag_seconds));
        let windows = Windows::newest_first(0, stats.safe_position);
        let found = search(session, &Query::default(), windows, EVENTS, 1).await?;
        Ok(Self {
            stats,
            in_flight,
            subscriptions,
            projections,
            events: found.events,
        })
    }
}

impl Sample {
    /// What has held readers back for long.
    pub(super) fn holder(&self) -> Option<&InFlight> {
        let mut in_flight = self.in_flight.iter();
        in_flight.find(|found| found.holds_readers_back())
    }
}

/// A total of which the rate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    Appends,
    Events,
    Conflicts,
    RolledBack,
}

impl Total {
    pub(super) const ALL: [Self; 4] = [
        Self::Appends,
        Self::Events,
        Self::Conflicts,
        Self::RolledBack,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Appends => "appends/s",
            Self::Events => "events/s",
            Self::Conflicts => "conflicts/s",
            Self::RolledBack => "rolled back/s",
        }
    }

    fn of(self, stats: &Stats) -> i64 {
        match self {
            Self::Appends => stats.appends,
            Self::Events => stats.events,
            Self::Conflicts => stats.conflicts,
            Self::RolledBack => stats.rolled_back,
        }
    }
}

/// The last moments.
#[derive(Default)]
pub(super) struct History {
    pub(super) samples: VecDeque<Sample>,
}

impl History {
    pub(super) fn add(&mut self, sample: Sample) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        // Only the last one is shown whole.
        if let Some(last) = self.samples.back_mut() {
            last.events.clear();
            last.subscriptions.clear();
            last.projections.clear();
            last.in_flight.clear();
        }
        self.samples.push_back(sample);
    }

    /// The rate between each two moments, the oldest first. After a restart of the server, when the
    /// totals begin again, it is 0.
    pub(super) fn rates(&self, total: Total) -> Vec<f64> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        let rate = |(before, after): (&Sample, &Sample)| {
            let (before, after) = (&before.stats, &after.stats);
            let micros = after.taken_at.unix_micros() - before.taken_at.unix_micros();
            let more = total.of(after) - total.of(before);
            match before.counted_since == after.counted_since && micros > 0 && more > 0 {
                true => more as f64 * 1e6 / micros as f64,
                false => 0.0,
            }
        };
        pairs.map(rate).collect()
    }
}
