//! The situations, a file for each: what people notice, how it comes about, what a new release of the
//! shop would change, and how to see that it is fixed.

mod conflicts;
mod consumer_died;
mod event_fails;
mod no_library;
mod no_worker;
mod notifier_away;
mod old_objects;
mod parked;
mod projection_failed;
mod transaction_open;

use eventcore_harness::Result;

use crate::stage::Stage;

/// A situation that can be brought about.
#[derive(Debug)]
pub struct Situation {
    /// Its name, which does not say what is wrong.
    pub name: &'static str,
    /// What people tell the operator.
    pub symptom: &'static str,
    /// Settings of the server.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Brings it about.
    pub(crate) begin: fn(&mut Stage) -> Result<()>,
    /// Puts the newest release of the shop into operation.
    pub(crate) deploy: fn(&mut Stage) -> Result<()>,
    /// The query that returns true when everything works again.
    pub(crate) is_fixed: &'static str,
}

/// All situations.
pub const SITUATIONS: [&Situation; 10] = [
    &consumer_died::SITUATION,
    &event_fails::SITUATION,
    &projection_failed::SITUATION,
    &transaction_open::SITUATION,
    &notifier_away::SITUATION,
    &no_worker::SITUATION,
    &conflicts::SITUATION,
    &no_library::SITUATION,
    &old_objects::SITUATION,
    &parked::SITUATION,
];

impl Situation {
    /// The situation of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SITUATIONS
            .into_iter()
            .find(|situation| situation.name == name)
    }

    /// The query that returns true when everything works again, for a caller with a connection of its
    /// own.
    pub fn is_fixed(&self) -> &'static str {
        self.is_fixed
    }
}

/// The newest release runs already.
fn nothing_new(_: &mut Stage) -> Result<()> {
    Ok(())
}

/// The newest release of the mailer.
fn deploy_mailer(stage: &mut Stage) -> Result<()> {
    stage.kill("mailer");
    stage.supervise("mailer", include_str!("../../sql/mailer.sql"))
}
