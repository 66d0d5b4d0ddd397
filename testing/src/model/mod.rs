//! Random appends, reads and commands, on a store and on a model that is as simple as possible.
//! Both must give the same results.

mod held;
mod run;
mod step;

use eventcore::EventStore;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

/// Runs random sequences on the store, each in streams of its own, and shrinks a failing one. Call
/// it on a tokio runtime of several threads. Nothing else may write to the store meanwhile.
///
/// # Panics
///
/// The store and the model differ. The message contains the shortest sequence that was found.
pub fn check<S: EventStore>(store: &S, cases: u32) {
    let persistence: Option<Box<FileFailurePersistence>> = None;
    let config = Config {
        cases,
        failure_persistence: persistence.map(|none| none as _),
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let handle = tokio::runtime::Handle::current();
    let names = std::cell::Cell::new(0);
    let result = TestRunner::new(config).run(&step::sequence(), |steps| {
        names.set(names.get() + 1);
        let run = run::Run::new(store, &format!("case-{}-", names.get()));
        let agrees = tokio::task::block_in_place(|| handle.block_on(run.all(&steps)));
        agrees.map_err(TestCaseError::fail)
    });
    if let Err(failure) = result {
        panic!("the store and the model differ: {failure}");
    }
}
