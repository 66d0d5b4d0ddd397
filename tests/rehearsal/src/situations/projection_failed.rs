//! The handler of a projection fails on an event, and the projection stops there.

use eventcore_harness::Result;

use super::Situation;
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "old-figures",
    symptom: "The turnover on the dashboard has not changed for some minutes, though orders come in.",
    settings: &[],
    begin,
    deploy,
    is_fixed: "SELECT EXISTS (SELECT FROM turnover WHERE stream_id = 'order-20')",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.sql(include_str!("../../sql/turnover_before.sql"))?;
    stage.until(
        "the projection has failed",
        "SELECT status = 'failed' FROM eventcore.stat_projections",
    )
}

fn deploy(stage: &mut Stage) -> Result<()> {
    stage.sql(include_str!("../../sql/turnover.sql")).map(drop)
}
