//! A consumer takes a lease and is killed, and nothing starts it again.

use eventcore_harness::Result;

use super::{Situation, deploy_mailer};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "no-mails",
    symptom: "Customers complain: their orders are in the shop, and no mail confirms them.",
    settings: &[],
    begin,
    deploy: deploy_mailer,
    is_fixed: "SELECT EXISTS (SELECT FROM mails WHERE stream_id = 'order-1')",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.sql("SELECT eventcore_create_subscription('mails', lease => '2 s')")?;
    stage.until(
        "there are orders",
        "SELECT EXISTS (SELECT FROM eventcore.events WHERE stream_id = 'order-5')",
    )?;
    stage.keep_session(
        "mailer",
        "SELECT position FROM eventcore_poll('mails', 'mailer-1', 20);\n",
    )?;
    stage.until(
        "the consumer has events",
        "SELECT EXISTS (SELECT FROM eventcore.leases)",
    )?;
    stage.kill("mailer");
    Ok(())
}
