//! The workers of a database, started by its notifier: as many as there are projections to run, but
//! at most `eventcore.projection_workers`. A worker serves one owner. If there are more owners than
//! workers, the owners take turns.

use super::{definition, obstacle};
use crate::error::Error;
use crate::pg::shared_memory::my_database;
use crate::pg::worker::{self, Kind, WorkerHandle};
use crate::processes;
use crate::processes::retry::{Retry, no_free_worker};
use crate::registry::wake::Wake;
use crate::settings;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const KIND: Kind = Kind {
    name: "eventcore projection worker",
    function: "eventcore_projections_main",
};

/// The shortest time between the starts of two workers of an owner. It doubles each time that a
/// worker ends at once. If the worker cannot log in, the server also logs a line each time, so the
/// pause grows longer.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const PAUSE_WITHOUT_LOGIN: Duration = Duration::from_secs(60);

/// How long an owner may keep several busy workers while another owner has none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The workers that this process, a notifier, has started.
#[derive(Default)]
pub struct Pool {
    workers: Vec<RunningWorker>,
    /// The last start of a worker, by owner.
    owners: HashMap<u32, LastStart>,
    /// Since when an owner has no worker because other owners have all of them.
    crowded_since: Option<Instant>,
    shortage: Shortage,
}

/// The retry state for a shortage of background workers.
struct Shortage(Retry);

impl Default for Shortage {
    fn default() -> Self {
        Self(Retry::new("projections have no worker"))
    }
}

struct RunningWorker {
    owner: u32,
    began: Instant,
    process: WorkerHandle,
}

struct LastStart {
    /// When the last worker was started.
    started: Instant,
    pause: Duration,
}

/// The owners of projections to run.
#[derive(Default)]
pub struct Owners {
    /// How many workers each owner wants: one for each projection.
    pub workers_wanted: HashMap<u32, usize>,
    /// Whether some projections cannot run for now.
    pub some_blocked: bool,
}

impl Owners {
    /// To be called in a transaction.
    pub fn find() -> Result<Self, Error> {
        let mut workers_wanted = HashMap::new();
        for one in definition::all()?.iter() {
            if one.running && !one.inline {
                *workers_wanted.entry(one.owner).or_default() += 1;
            }
        }
        let all = workers_wanted.len();
        workers_wanted.retain(|owner, _| obstacle::of_role(Oid::from(*owner)).is_none());
        let some_blocked = workers_wanted.len() < all;
        Ok(Self {
            workers_wanted,
            some_blocked,
        })
    }

    /// Whether there is nothing to run, now or later.
    pub fn is_empty(&self) -> bool {
        self.workers_wanted.is_empty() && !self.some_blocked
    }
}

impl Pool {
    /// Starts and ends workers. Returns how soon to check again, if something is left to do.
    pub fn adjust(&mut self, database: u32, wake: &Wake, owners: &Owners) -> Option<Duration> {
        self.forget_ended();
        let limit = settings::projection_workers();
        while self.workers.len() > limit {
            if let Some(worker) = self.workers.pop() {
                worker.process.terminate();
            }
        }
        let mut left = owners.some_blocked;
        let mut short = false;
        let owners = &owners.workers_wanted;
        for owner in self.lacking(owners) {
            if self.workers.len() >= limit {
                break;
            }
            if self
                .owners
                .get(&owner)
                .is_some_and(|past| past.started.elapsed() < past.pause)
            {
                left = true;
                continue;
            }
            match worker::start_with(&KIND, database, &owner.to_string()) {
                Some(process) => {
                    let began = Instant::now();
                    self.workers.push(RunningWorker {
                        owner,
                        began,
                        process,
                    });
                    let past = self.owners.entry(owner).or_insert(LastStart {
                        started: began,
                        pause: PAUSE,
                    });
                    past.started = began;
                }
                None => {
                    left = true;
                    short = true;
                    self.shortage.0.failed(&no_free_worker());
                    break;
                }
            }
        }
        wake.set_lacks_workers(short);
        let has_worker = |owner: &u32| self.workers.iter().any(|worker| worker.owner == *owner);
        let crowded = limit > 0 && self.workers.len() >= limit && !owners.keys().all(has_worker);
        wake.set_crowded(crowded);
        if self.make_room(crowded) {
            left = true;
        }
        left.then_some(PAUSE)
    }

    /// Ends all workers, even busy ones, because a statement needs exclusive use of the database.
    pub fn end(&mut self) {
        for worker in self.workers.drain(..) {
            worker.process.terminate();
        }
    }

    fn forget_ended(&mut self) {
        let owners = &mut self.owners;
        self.workers.retain(|worker| {
            if worker.process.is_alive() {
                return true;
            }
            if let Some(past) = owners.get_mut(&worker.owner) {
                // A worker that ended in the middle of a batch did begin. The wait of its
                // projection is enough.
                let (database, owner) = (my_database(), worker.owner);
                past.pause =
                    if processes::never_began(processes::Kind::Projections, database, owner) {
                        (past.pause * 2).min(PAUSE_WITHOUT_LOGIN)
                    } else if worker.began.elapsed() < PAUSE / 2
                        && !processes::has_left(database, owner)
                    {
                        (past.pause * 2).min(LONGEST_PAUSE)
                    } else {
                        PAUSE
                    };
            }
            false
        });
    }

    /// Workers leave by themselves between two batches. If a handler takes so long that none
    /// leaves, one worker of an owner with several is ended. Returns whether to check again soon.
    fn make_room(&mut self, crowded: bool) -> bool {
        if !crowded {
            self.crowded_since = None;
            return false;
        }
        let since = *self.crowded_since.get_or_insert_with(Instant::now);
        if since.elapsed() > PATIENCE {
            let count = |owner| {
                let of_owner = self.workers.iter().filter(|worker| worker.owner == owner);
                of_owner.count()
            };
            let most = (0..self.workers.len()).max_by_key(|at| count(self.workers[*at].owner));
            if let Some(at) = most.filter(|at| count(self.workers[*at].owner) > 1) {
                self.workers.remove(at).process.terminate();
                self.crowded_since = None;
            }
        }
        true
    }

    /// The owners that lack a worker: first those that have none, and of these the one that has
    /// waited longest.
    fn lacking(&self, owners: &HashMap<u32, usize>) -> Vec<u32> {
        let workers = |owner: u32| {
            self.workers
                .iter()
                .filter(|worker| worker.owner == owner)
                .count()
        };
        let mut lacking: Vec<_> = owners
            .iter()
            .flat_map(|(owner, workers_wanted)| {
                (workers(*owner)..*workers_wanted).map(|nth| (nth, *owner))
            })
            .collect();
        lacking.sort_by_key(|(nth, owner)| (*nth, self.owners.get(owner).map(|past| past.started)));
        lacking.into_iter().map(|(_, owner)| owner).collect()
    }
}
