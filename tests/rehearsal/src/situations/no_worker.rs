//! Other databases use up all background workers of the server.

use eventcore_harness::Result;

use super::{Situation, nothing_new};
use crate::stage::Stage;

pub(super) const SITUATION: Situation = Situation {
    name: "new-shop",
    symptom: "This shop is new on a server with three others. Its live page shows each order up to a second late, those of the others at once.",
    // Two are taken by the launchers of PostgreSQL and of eventcore.
    settings: &[("max_worker_processes", "5")],
    begin,
    deploy: nothing_new,
    // After a restart alone the notifier of another shop has no worker.
    is_fixed: "SELECT state = 'running' AND current_setting('max_worker_processes')::int >= 6 FROM eventcore.stat_notifier",
};

fn begin(stage: &mut Stage) -> Result<()> {
    let others = ["shop_north", "shop_south", "shop_east"];
    for other in others {
        stage.server().create_database(other)?;
        stage.server().psql(
            other,
            "SELECT eventcore_append('{order-1}', '{0}', '[{\"stream\": \"order-1\", \"type\": \"OrderPlaced\", \"payload\": {}}]')",
        )?;
    }
    stage.server().create_database(crate::stage::SHOP)?;
    stage.until(
        "all background workers are in use",
        "SELECT count(*) = 3 FROM pg_stat_activity WHERE backend_type = 'eventcore notifier'",
    )?;
    stage.furnish()?;
    stage.supervise("checkout", include_str!("../../sql/checkout.sql"))?;
    stage.until(
        "the notifier is missing",
        "SELECT state = 'starting' FROM eventcore.stat_notifier",
    )
}
