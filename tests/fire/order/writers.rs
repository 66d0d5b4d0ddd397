//! Writers that pause, roll back and die, and know what happened to their events.

use std::collections::HashSet;

use tokio_postgres::Error;
use uuid::Uuid;

use crate::support::*;

const TRANSACTIONS: usize = 45;

/// What the writers know about their events.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) committed: HashSet<Uuid>,
    /// Rolled back for certain.
    pub(super) gone: HashSet<Uuid>,
    /// The connection died before the answer.
    pub(super) unknown: HashSet<Uuid>,
}

/// A writer of transactions of every kind, on shared streams and on its own.
pub(super) async fn writer(url: String, number: usize) -> Outcome {
    let mut random = Random::new();
    let mut outcome = Outcome::default();
    let mut session = reconnect(&url, "writer").await;
    for _ in 0..TRANSACTIONS {
        if session.is_closed() {
            session = reconnect(&url, "writer").await;
        }
        let mut pending = HashSet::new();
        let committing = &mut false;
        let result = match random.below(3) {
            0 => {
                *committing = true;
                autocommit(&session, number, &mut random, &mut pending)
                    .await
                    .map(|()| true)
            }
            _ => {
                let gone = &mut outcome.gone;
                transaction(
                    &mut session,
                    number,
                    &mut random,
                    &mut pending,
                    gone,
                    committing,
                )
                .await
            }
        };
        match result {
            Ok(true) => outcome.committed.extend(pending),
            Ok(false) => outcome.gone.extend(pending),
            // An ordinary error precedes the commit; a lost connection may follow it.
            Err(error) if *committing && matches!(sqlstate(&error), "57P01" | "no connection") => {
                outcome.unknown.extend(pending);
            }
            Err(error) => {
                let state = sqlstate(&error);
                assert!(
                    matches!(state, "57P01" | "57014" | "no connection"),
                    "{error:?}"
                );
                outcome.gone.extend(pending);
            }
        }
    }
    outcome
}

fn append(stream: &str, random: &mut Random) -> Append {
    let mut append = Append::new().check(stream, None);
    let events = if random.once_in(8) {
        20
    } else {
        1 + random.below(3)
    };
    for _ in 0..events {
        append = append.event(stream);
    }
    append
}

async fn autocommit(
    session: &Session,
    number: usize,
    random: &mut Random,
    pending: &mut HashSet<Uuid>,
) -> Result<(), Error> {
    let own = format!("own-{number}");
    let shared = format!("shared-{}", random.below(6));
    let mut append = append(&shared, random).check(&own, None).event(&own);
    if random.once_in(2) {
        append = append.check(&format!("shared-x{}", random.below(6)), None);
    }
    pending.extend(append.ids());
    append.send(&**session).await.map(drop)
}

/// Several appends with pauses and savepoints between them. Only the first is to a shared stream,
/// so that no two transactions wait for each other. Returns true if it committed.
async fn transaction(
    session: &mut Session,
    number: usize,
    random: &mut Random,
    pending: &mut HashSet<Uuid>,
    gone: &mut HashSet<Uuid>,
    committing: &mut bool,
) -> Result<bool, Error> {
    let mut transaction = session.transaction().await?;
    let first = append(&format!("shared-{}", random.below(6)), random);
    if random.once_in(2) {
        pending.extend(first.ids());
        first.send(&transaction).await?;
        random.nap(4_000).await;
    }
    for _ in 0..1 + random.below(3) {
        let next = append(&format!("own-{number}"), random);
        pending.extend(next.ids());
        match random.below(3) {
            0 => {
                next.send(&transaction).await?;
            }
            kind => {
                let savepoint = transaction.savepoint("s").await?;
                next.send(&savepoint).await?;
                random.nap(2_000).await;
                if kind == 1 {
                    savepoint.commit().await?;
                } else {
                    savepoint.rollback().await?;
                    for id in next.ids() {
                        pending.remove(&id);
                        gone.insert(id);
                    }
                }
            }
        }
        random.nap(3_000).await;
    }
    if random.once_in(5) {
        transaction.rollback().await?;
        return Ok(false);
    }
    *committing = true;
    transaction.commit().await?;
    Ok(true)
}
