//! `eventcore stats`

use eventcore_inspect::stats::stats;

use super::held::remark;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{maybe, seconds};

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let session = context.reader().await?;
    let found = stats(&session).await?;
    let show = context.output.show;
    let bytes = |bytes: i64| format!("{:.1} MB", bytes as f64 / 1e6);
    let fields = vec![
        ("database", found.database.clone()),
        ("PostgreSQL", found.server_version.clone()),
        ("extension", found.extension_version.clone()),
        ("standby", found.is_standby.to_string()),
        ("counted since", show.maybe_time(found.counted_since)),
        ("appends", found.appends.to_string()),
        ("events", found.events.to_string()),
        ("conflicts", found.conflicts.to_string()),
        ("repeats", found.repeats.to_string()),
        ("rolled back", found.rolled_back.to_string()),
        ("safe position", found.safe_position.to_string()),
        ("last position", found.last_position.to_string()),
        ("last event", show.maybe_time(found.last_recorded_at)),
        ("in flight", found.in_flight.to_string()),
        ("oldest in flight", seconds(found.in_flight_oldest_seconds)),
        ("notifier", found.notifier_state.clone()),
        ("notifier pending", found.notifier_pending.to_string()),
        ("notifications", found.notifications.to_string()),
        ("notified position", maybe(found.notified_position)),
        ("last notified", show.maybe_time(found.last_notified_at)),
        ("size of events", bytes(found.events_bytes)),
        ("size of indexes", bytes(found.indexes_bytes)),
        (
            "events, estimated",
            match found.events_estimate {
                -1 => "unknown before the first ANALYZE".to_owned(),
                estimate => estimate.to_string(),
            },
        ),
    ];
    context.output.record(&found, fields)?;
    remark(&session, context).await
}
