//! [`Plan`]: what happens to which call.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;

use super::{Fault, Operation};

/// What happens to which call.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) conflicts: f64,
    pub(super) before: f64,
    pub(super) after: f64,
    pub(super) reads: f64,
    pub(super) subscriptions: f64,
    pub(super) latency: Duration,
    certain: HashMap<(Operation, u64), Fault>,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fate {
    pub(super) latency: Duration,
    pub(super) fault: Option<Fault>,
}

impl Plan {
    /// Sets the fate of one call.
    pub(super) fn set(&mut self, operation: Operation, call: u64, fault: Fault) {
        self.certain.insert((operation, call), fault);
    }

    /// The fate of the call with this number. It is always the same.
    pub(super) fn fate(&self, operation: Operation, call: u64) -> Fate {
        let mut random = Rng::with_seed(self.seed_of(operation, call));
        // All values are drawn in any case, so that one setting does not affect the others.
        let latency = self.latency.mul_f64(random.f64());
        let (conflict, before, after) = (random.f64(), random.f64(), random.f64());
        let drawn = match operation {
            Operation::Append if before < self.before => Some(Fault::Before),
            Operation::Append if conflict < self.conflicts => Some(Fault::Conflict),
            Operation::Append if after < self.after => Some(Fault::After),
            Operation::Read if before < self.reads => Some(Fault::Before),
            Operation::Subscription if before < self.subscriptions && after < 0.5 => {
                Some(Fault::Before)
            }
            Operation::Subscription if before < self.subscriptions => Some(Fault::After),
            _ => None,
        };
        let certain = self.certain.get(&(operation, call)).copied();
        Fate {
            latency,
            fault: certain.or(drawn),
        }
    }

    /// Far from the seeds of the neighbouring calls, by Knuth's multiplier, which spreads bits.
    fn seed_of(&self, operation: Operation, call: u64) -> u64 {
        let number = call * 4 + operation as u64;
        self.seed.rotate_left(32) ^ number.wrapping_mul(0x5851_f42d_4c95_7f2d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(plan: &Plan) -> Vec<Fate> {
        (1..=2_000)
            .map(|call| plan.fate(Operation::Append, call))
            .collect()
    }

    #[test]
    fn the_same_seed_decides_the_same_and_another_seed_something_else() {
        let plan = |seed| Plan {
            seed,
            conflicts: 0.3,
            latency: Duration::from_secs(1),
            ..Plan::default()
        };
        assert_eq!(fates(&plan(7)), fates(&plan(7)));
        assert_ne!(fates(&plan(7)), fates(&plan(8)));
    }

    #[test]
    fn faults_come_about_as_often_as_they_should() {
        let plan = Plan {
            conflicts: 0.2,
            before: 0.1,
            after: 0.5,
            ..Plan::default()
        };
        let fates = fates(&plan);
        let share = |fault| {
            let met = fates
                .iter()
                .filter(|fate| fate.fault == Some(fault))
                .count();
            met as f64 / fates.len() as f64
        };
        // The share that remains after the previous faults.
        for (fault, expected) in [
            (Fault::Before, 0.1),
            (Fault::Conflict, 0.18),
            (Fault::After, 0.36),
        ] {
            let share = share(fault);
            assert!((share - expected).abs() < 0.05, "{fault:?}: {share}");
        }
        assert!(fates.iter().all(|fate| fate.latency.is_zero()));
    }
}
