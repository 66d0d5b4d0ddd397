//! A consumer fails on one event, gives it back, and gets it again.

use eventcore_harness::Result;

use super::{Situation, deploy_mailer};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "one-customer",
    symptom: "One customer has got no mail about an order. All others have.",
    settings: &[],
    begin,
    deploy: deploy_mailer,
    is_fixed: "SELECT EXISTS (SELECT FROM mails WHERE stream_id = 'order-13')",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.sql("SELECT eventcore_create_subscription('mails', retry_limit => 100000)")?;
    stage.supervise("mailer", include_str!("../../sql/mailer_before.sql"))?;
    stage.until(
        "the event has failed some times",
        "SELECT EXISTS (SELECT FROM eventcore.deliveries WHERE failures >= 3)",
    )
}
