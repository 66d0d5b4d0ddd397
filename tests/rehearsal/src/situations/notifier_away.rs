//! A job wants the database for itself again and again, so the notifier stays away from it.

use eventcore_harness::{Result, SUPERUSER};

use super::{Situation, nothing_new};
use crate::service::{Login, Service};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "slow-page",
    symptom: "The live page shows each order up to a second late. It used to show it at once.",
    settings: &[],
    begin,
    deploy: nothing_new,
    is_fixed: "SELECT state = 'running' FROM eventcore.stat_notifier",
};

const JOB: Login = Login {
    database: "postgres",
    role: SUPERUSER,
    application: "nightly copy",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.until("a notifier runs", stage.situation().is_fixed)?;
    let statement = "CREATE DATABASE shop_copy TEMPLATE shop;";
    let job = Service::repeated(stage.server(), JOB, statement)?;
    stage.add(job);
    stage.until(
        "the notifier is away",
        "SELECT state = 'away' AND pid IS NULL FROM eventcore.stat_notifier",
    )
}
