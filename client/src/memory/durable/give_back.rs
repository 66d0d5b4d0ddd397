//! Gives events back: to be tried again, parked, skipped or released.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::SubscriptionState;
use crate::durable::{Nack, NackAction, NackOutcome};
use crate::store::StoreError;
use crate::values::{LeaseId, Position};

impl SubscriptionState {
    pub(in crate::memory) fn nack(
        &mut self,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
        if nack.delay > Duration::ZERO && nack.action != NackAction::Retry {
            let reason = "is only for the action 'retry'";
            return Err(StoreError::malformed("delay", None, reason));
        }
        let wanted = self.wanted(lease_id, positions)?;
        let asked: HashSet<_> = wanted.iter().copied().collect();
        let mut outcomes = Vec::new();
        for position in wanted {
            // If it is missing, it is parked already, with an earlier event of its stream.
            if !self.deliveries.contains_key(&position) {
                continue;
            }
            let (outcome, also_back) = self.give_back(position, nack, &asked);
            outcomes.push((position, outcome));
            let also_back = also_back.into_iter();
            outcomes.extend(also_back.map(|position| (position, NackOutcome::Released)));
        }
        Ok(outcomes)
    }

    /// Handles one event that is given back. Also returns the later events of its stream that go
    /// back with it.
    fn give_back(
        &mut self,
        position: Position,
        nack: &Nack,
        asked: &HashSet<Position>,
    ) -> (NackOutcome, Vec<Position>) {
        let limit = self.definition.retry_limit;
        let too_often = |failures: u32| nack.action == NackAction::Retry && failures >= limit;
        match self.deliveries.get_mut(&position) {
            Some(_) if nack.action == NackAction::Skip => {
                self.deliveries.remove(&position);
                (NackOutcome::Skipped, Vec::new())
            }
            Some(given) if nack.action == NackAction::Park || too_often(given.failures) => {
                let held_back = self.park(position, nack.reason.clone());
                (NackOutcome::Parked, held_back)
            }
            Some(given) if nack.action == NackAction::Retry => {
                given.failures += 1;
                given.not_before = Instant::now().checked_add(nack.delay);
                (NackOutcome::Retry, self.release_from(position, asked))
            }
            _ => (NackOutcome::Released, self.release_from(position, asked)),
        }
    }

    /// Releases an event and the later ones of its stream in the same lease, except those that the
    /// caller named. Returns the later ones.
    fn release_from(&mut self, first: Position, asked: &HashSet<Position>) -> Vec<Position> {
        let mut later = Vec::new();
        let Some(given) = self.deliveries.get_mut(&first) else {
            return later;
        };
        let (stream_id, lease) = (given.stream_id.clone(), given.held.take());
        for (position, delivery) in self.deliveries.range_mut(first..) {
            let held_too = lease.is_some_and(|lease| {
                delivery.held.is_some_and(|held| held.by == lease.by)
                    && delivery.stream_id == stream_id
            });
            if held_too && !asked.contains(position) {
                delivery.held = None;
                later.push(*position);
            }
        }
        later
    }
}
