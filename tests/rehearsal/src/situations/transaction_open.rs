//! A program appends and leaves its transaction open: all readers wait for it.

use eventcore_harness::Result;

use super::{Situation, deploy_mailer, nothing_new};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "nothing-arrives",
    symptom: "Orders are accepted, but for some minutes nothing that follows them happens: no mails, no figures, no live page.",
    settings: &[],
    begin,
    deploy: nothing_new,
    is_fixed: "SELECT EXISTS (SELECT FROM eventcore.events e JOIN mails m USING (stream_id)
                                WHERE e.recorded_at > (SELECT xact_start FROM invoices))",
};

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.sql("SELECT eventcore_create_subscription('mails')")?;
    deploy_mailer(stage)?;
    stage.until(
        "mails are sent",
        "SELECT EXISTS (SELECT FROM mails WHERE stream_id = 'order-3')",
    )?;
    stage.keep_session(
        "invoice run",
        "BEGIN; SELECT eventcore_append('{invoice-run}', '{0}', '[{\"stream\": \"invoice-run\", \"type\": \"Begun\", \"payload\": {}}]');\n",
    )?;
    stage.until(
        "readers are held back",
        "SELECT EXISTS (SELECT FROM eventcore.stat_inflight WHERE application_name = 'invoice run' AND state = 'idle in transaction')",
    )?;
    // What follows the append is sent only when the transaction has ended.
    stage
        .sql("CREATE TABLE invoices AS SELECT clock_timestamp() AS xact_start")
        .map(drop)
}
