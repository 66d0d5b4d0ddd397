//! One run: open the accounts, let the workers work and the subscriber watch, and audit the result.

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;

use eventcore::EventSubscription;

use crate::audit::{Evidence, Invariant, audit};
use crate::failure::Failure;
use crate::openings::{must_be_new, open, openings};
use crate::report::Report;
use crate::speed::Speed;
use crate::subscriber::Subscriber;
use crate::transfer_file::Line;
use crate::{history, workers};

/// The results of a run.
pub(crate) struct Audited {
    pub(crate) report: String,
    pub(crate) violated: Vec<Invariant>,
}

/// Runs the transfers of a file on an empty store.
pub(crate) async fn run<S>(
    store: &S,
    lines: Vec<Line>,
    workers: NonZeroUsize,
) -> Result<Audited, Failure>
where
    S: EventSubscription + Clone + 'static,
{
    let lines: Arc<[Line]> = lines.into();
    let openings = openings()?;
    must_be_new(store, &openings).await?;

    let subscriber = Subscriber::start(store);
    let opened = open(store, &openings).await?;
    let run = workers::run(store, &lines, workers.get()).await?;
    let accepted = run.outcomes.iter().filter_map(|one| one.result.ok());
    let last = accepted.map(|one| one.position).fold(opened, Ord::max);
    let seen = subscriber.stop_after(last).await?;
    let stored = history::read_all_streams(store, &openings).await?;

    let evidence = Evidence {
        openings: &openings,
        lines: &lines,
        outcomes: &run.outcomes,
        seen: &seen.entries,
        stored: &stored,
    };
    let verdict = audit(&evidence);
    let report = Report {
        evidence: &evidence,
        verdict: &verdict,
        seen_live: seen.live,
        speed: Speed::of(&run.outcomes, run.took),
    };
    Ok(Audited {
        report: report.to_string(),
        violated: verdict.violated(),
    })
}
