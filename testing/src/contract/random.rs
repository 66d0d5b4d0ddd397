//! Random sequences against a model. More of them: [`crate::model::check`].

use eventcore::EventStore;

/// Few enough that a store behind a network takes seconds.
const CASES: u32 = 16;

pub async fn random_appends_reads_and_commands_agree_with_a_model<S>(store: &S)
where
    S: EventStore,
{
    crate::model::check(store, CASES);
}
