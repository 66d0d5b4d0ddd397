//! The server has a new library, and the database still has the objects of the release before.

use eventcore_harness::Result;

use super::{Situation, nothing_new};
use crate::stage::{SHOP, Stage};

pub(super) const SITUATION: Situation = Situation {
    name: "after-upgrade",
    symptom: "Since this night, when the server got new packages and the shop its new release, nobody can order anything.",
    settings: &[],
    begin,
    deploy: nothing_new,
    is_fixed: "SELECT EXISTS (SELECT FROM eventcore.events) AND extversion <> '0.1.0' FROM pg_extension WHERE extname = 'eventcore'",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.server().create_empty_database(SHOP)?;
    stage.sql("CREATE EXTENSION eventcore VERSION '0.1.0'")?;
    stage.furnish()?;
    stage.supervise("checkout", include_str!("../../sql/checkout_compact.sql"))
}
