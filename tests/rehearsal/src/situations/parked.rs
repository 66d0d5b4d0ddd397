//! Events were parked while something else did not work, and their streams stand still.

use eventcore_harness::Result;

use super::{Situation, deploy_mailer, nothing_new};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "three-customers",
    symptom: "Three customers have got no mail about their orders. The mail server was away at that time and is back.",
    settings: &[],
    begin,
    deploy: nothing_new,
    is_fixed: "SELECT count(*) = 3 FROM mails WHERE stream_id IN ('order-1', 'order-2', 'order-3')",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.sql("SELECT eventcore_create_subscription('mails', on_parked => 'stop')")?;
    stage.until(
        "there are orders",
        "SELECT EXISTS (SELECT FROM eventcore.events WHERE stream_id = 'order-3')",
    )?;
    stage.sql(
        "DO $$ DECLARE leases uuid[];
         BEGIN
            leases := ARRAY(SELECT lease_id FROM eventcore_poll('mails', 'mailer-1', 3));
            PERFORM eventcore_nack('mails', leases[1], NULL, 'park', 'mail.example: connection refused');
         END $$",
    )?;
    deploy_mailer(stage)?;
    stage.until(
        "others get mails",
        "SELECT EXISTS (SELECT FROM mails WHERE stream_id = 'order-4')",
    )
}
