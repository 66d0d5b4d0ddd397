//! [`Doctor`]: what the doctor says, asked for all browsers together.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use eventcore_inspect::Time;
use eventcore_inspect::doctor::{Diagnosis, diagnose_within};
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::state::State;

/// How long the doctor looks. What it has not looked at by then, it says.
const LONGEST: Duration = Duration::from_secs(5);

/// How long what it says is shown to others who ask.
const FRESH: Duration = Duration::from_secs(5);

/// How often it is asked if nobody asks.
const EVERY: Duration = Duration::from_secs(60);

/// At most one part in this many of the time it is asked if nobody asks.
const SPARE: u32 = 10;

/// What the doctor said, and when.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) at: Time,
    pub(crate) diagnosis: Arc<Diagnosis>,
}

/// What the doctor says.
#[derive(Default)]
pub(crate) struct Doctor {
    /// The last answer, also if it is a failure: all who wait for the lock get it too.
    answer: Mutex<Option<(Instant, Result<Said, Failure>)>>,
    last: RwLock<Option<Said>>,
}

impl Doctor {
    /// What it said last.
    pub(crate) fn last(&self) -> Option<Said> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Something was repaired: the next one who asks wants to know what is left.
    pub(crate) async fn forget(&self) {
        *self.answer.lock().await = None;
    }
}

/// What the doctor says, not longer ago than a few seconds. It looks to the end also if the browser
/// leaves that asked first.
pub(crate) async fn ask(state: &Arc<State>) -> Result<Said, Failure> {
    let state = Arc::clone(state);
    let task = tokio::spawn(async move {
        let mut answer = state.doctor.answer.lock().await;
        if let Some((_, said)) = answer.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return said.clone();
        }
        let said = look(&state).await;
        *answer = Some((Instant::now(), said.clone()));
        if let Ok(said) = &said {
            let mut last = state.doctor.last.write();
            *last
                .as_deref_mut()
                .unwrap_or_else(|poisoned| poisoned.get_mut()) = Some(said.clone());
        }
        said
    });
    let ends = |_| Err(Failure::unavailable("the console ends"));
    task.await.unwrap_or_else(ends)
}

async fn look(state: &State) -> Result<Said, Failure> {
    let session = state.pool.session().await?;
    let diagnosis = diagnose_within(&session, LONGEST).await?;
    Ok(Said {
        at: Time::now(),
        diagnosis: Arc::new(diagnosis),
    })
}

/// Asks now and then, until the console ends.
pub(crate) async fn run(state: Arc<State>) {
    loop {
        let began = Instant::now();
        // The monitor says it if the database does not answer.
        let _ = ask(&state).await;
        tokio::time::sleep(EVERY.max(began.elapsed() * SPARE)).await;
    }
}
