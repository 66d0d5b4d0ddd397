//! The workers of a database, started by its notifier: as many as there are projections to run, but not more
//! than `eventcore.projection_workers`. A worker serves one owner. With more owners than workers they take turns.

use super::definition;
use crate::error::Error;
use crate::pg::session::may_log_in;
use crate::pg::transaction;
use crate::pg::worker::{self, Kind, Started};
use crate::settings;
use crate::wake::Wake;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const KIND: Kind = Kind {
    name: "eventcore projection worker",
    function: "eventcore_projections_main",
};

/// How long after the start of a worker the next one for its owner is started at the earliest.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it complains that there is no place for another worker.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// The workers that this process, a notifier, has started.
#[derive(Default)]
pub struct Pool {
    workers: Vec<(u32, Started)>,
    /// When a worker was started for an owner last.
    last: HashMap<u32, Instant>,
    complained_at: Option<Instant>,
}

/// The owners that may log in, each with how many of their projections are to be run. To be called in a
/// transaction.
pub fn owners() -> Result<HashMap<u32, usize>, Error> {
    let mut owners = HashMap::new();
    for one in definition::all()?.iter() {
        if one.running && !one.inline && may_log_in(Oid::from(one.owner)) {
            *owners.entry(one.owner).or_default() += 1;
        }
    }
    Ok(owners)
}

impl Pool {
    /// Starts and ends workers; returns how soon to look again, if there is something left to do.
    pub fn tend(
        &mut self,
        database: u32,
        wake: &Wake,
        owners: &HashMap<u32, usize>,
    ) -> Option<Duration> {
        self.workers.retain(|(_, worker)| worker.is_alive());
        let limit = settings::projection_workers();
        while self.workers.len() > limit {
            if let Some((_, worker)) = self.workers.pop() {
                worker.terminate();
            }
        }
        let mut left = false;
        for owner in self.lacking(owners) {
            if self.workers.len() >= limit {
                break;
            }
            if self
                .last
                .get(&owner)
                .is_some_and(|last| last.elapsed() < PAUSE)
            {
                left = true;
                continue;
            }
            match worker::start_with(&KIND, database, &owner.to_string()) {
                Some(started) => {
                    self.workers.push((owner, started));
                    self.last.insert(owner, Instant::now());
                }
                None => {
                    left = true;
                    self.complain();
                    break;
                }
            }
        }
        let has_worker = |owner: &u32| self.workers.iter().any(|(other, _)| other == owner);
        wake.set_crowded(
            limit > 0 && !owners.keys().all(has_worker) && self.workers.len() >= limit,
        );
        left.then_some(PAUSE)
    }

    /// The owners to start a worker for: first those that have none, and of these who waited longest.
    fn lacking(&self, owners: &HashMap<u32, usize>) -> Vec<u32> {
        let workers = |owner: u32| {
            self.workers
                .iter()
                .filter(|(other, _)| *other == owner)
                .count()
        };
        let mut lacking: Vec<_> = owners
            .iter()
            .flat_map(|(owner, wanted)| (workers(*owner)..*wanted).map(|nth| (nth, *owner)))
            .collect();
        lacking.sort_by_key(|(nth, owner)| (*nth, self.last.get(owner).copied()));
        lacking.into_iter().map(|(_, owner)| owner).collect()
    }

    fn complain(&mut self) {
        if self
            .complained_at
            .is_none_or(|at| at.elapsed() > COMPLAIN_EVERY)
        {
            self.complained_at = Some(Instant::now());
            transaction::log(
                "eventcore: no background worker is free for projections; raise max_worker_processes",
            );
        }
    }
}
