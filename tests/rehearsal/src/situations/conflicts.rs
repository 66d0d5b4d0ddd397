//! Many writers append to the same stream, each on what it has read a while ago.

use eventcore_harness::Result;

use super::Situation;
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "try-again",
    symptom: "Most customers see \"please try again\" when they reserve something.",
    settings: &[],
    begin,
    deploy,
    is_fixed: include_str!("../../sql/few_conflicts.sql"),
};

const WRITERS: usize = 6;

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    for _ in 0..WRITERS {
        stage.supervise("reservations", include_str!("../../sql/reserve_before.sql"))?;
    }
    stage.until(
        "appends are refused",
        "SELECT conflicts > 100 FROM eventcore.stat_appends",
    )
}

fn deploy(stage: &mut Stage) -> Result<()> {
    stage.kill("reservations");
    for _ in 0..WRITERS {
        stage.supervise("reservations", include_str!("../../sql/reserve.sql"))?;
    }
    Ok(())
}
