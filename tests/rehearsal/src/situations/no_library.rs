//! The server has been restarted without the library of eventcore.

use eventcore_harness::Result;

use super::{Situation, nothing_new};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "after-restart",
    symptom: "Since the server was restarted nobody can order anything.",
    settings: &[],
    begin,
    deploy: nothing_new,
    is_fixed: ORDERS_COME_IN,
};

const ORDERS_COME_IN: &str =
    "SELECT EXISTS (SELECT FROM eventcore.events WHERE recorded_at > pg_postmaster_start_time())";

fn begin(stage: &mut Stage) -> Result<()> {
    stage.open_shop()?;
    stage.until("orders come in", ORDERS_COME_IN)?;
    // Somebody wanted to add a library and has replaced all.
    stage.sql("ALTER SYSTEM SET shared_preload_libraries = 'plpgsql'")?;
    stage.restart_server()
}
