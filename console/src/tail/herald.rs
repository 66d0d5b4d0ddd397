//! The task that waits for the safe position, for all browsers. While nobody follows, it sleeps.

use std::sync::Arc;
use std::time::Duration;

use eventcore_inspect::events::{safe_position, wait};
use eventcore_inspect::{Error, Session, SessionOptions};

use crate::state::{APPLICATION_NAME, State};

/// How long the server is asked to wait at once.
const WAIT: Duration = Duration::from_secs(10);

/// The longest time for a statement: the server must have answered long before.
const LONGEST: Duration = Duration::from_secs(20);

/// How long to wait before a server that was away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long to wait after the safe position has moved. A feed pauses for longer between two reads, and while
/// events come all the time, the server would be asked a thousand times a second.
const MOVING: Duration = Duration::from_millis(20);

/// Waits until the console ends.
pub(crate) async fn run(state: Arc<State>) {
    let mut session = None;
    loop {
        while state.tail.open() == 0 {
            session = None;
            state.tail.wanted.notified().await;
        }
        match step(&state, session.take()).await {
            Ok(kept) => session = Some(kept),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Waits until the safe position has moved, or the time is up, and tells the feeds.
async fn step(state: &State, kept: Option<Session>) -> Result<Session, Error> {
    let kept = kept.filter(|session| !session.is_closed());
    let (session, safe) = match kept {
        Some(session) => {
            let known = *state.tail.safe.borrow();
            let safe = wait(&session, known, WAIT).await?;
            (session, safe)
        }
        None => {
            let options = SessionOptions::read_only(APPLICATION_NAME).statement_timeout(LONGEST);
            let session = Session::open(&state.target, &options).await?;
            let safe = safe_position(&session).await?;
            (session, safe)
        }
    };
    let has_moved = state.tail.safe.send_if_modified(|known| {
        let has_moved = *known != safe;
        *known = safe;
        has_moved
    });
    if has_moved {
        tokio::time::sleep(MOVING).await;
    }
    Ok(session)
}
