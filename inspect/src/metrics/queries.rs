//! The table of metrics. The statement of each query is a file in `sql/metrics`.

use super::Kind::{self, Counter, Gauge};
use super::{Metric, Query};

const fn metric(column: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric { column, kind, help }
}

macro_rules! query {
    ($prefix:literal, $labels:expr, $metrics:expr) => {
        Query {
            prefix: $prefix,
            sql: include_str!(concat!("../../sql/metrics/", $prefix, ".sql")),
            labels: $labels,
            metrics: $metrics,
        }
    };
}

/// All queries.
pub const QUERIES: &[Query] = &[
    query!(
        "eventcore_build",
        &["datname", "extension", "library", "postgresql"],
        &[metric(
            "info",
            Gauge,
            "1; its labels are the versions of the objects, of the loaded library, and of PostgreSQL."
        ),]
    ),
    query!(
        "eventcore",
        &["datname"],
        &[metric(
            "safe_position",
            Gauge,
            "The position up to which events can be read."
        ),]
    ),
    query!(
        "eventcore_store",
        &["datname"],
        &[
            metric("appends_total", Counter, "Appends that were committed."),
            metric("events_total", Counter, "Events of these appends."),
            metric(
                "conflicts_total",
                Counter,
                "Appends that were refused for a version conflict."
            ),
            metric(
                "repeats_total",
                Counter,
                "Appends that repeated an earlier one."
            ),
            metric(
                "rolled_back_total",
                Counter,
                "Appends that were rolled back."
            ),
            metric(
                "counters_start_time_seconds",
                Gauge,
                "When counting began, in seconds since 1970."
            ),
        ]
    ),
    query!(
        "eventcore_execute",
        &["datname", "outcome"],
        &[metric(
            "total",
            Counter,
            "Executions of commands in the server, by how they ended."
        ),]
    ),
    query!(
        "eventcore_inflight",
        &["datname"],
        &[
            metric(
                "transactions",
                Gauge,
                "Transactions that have appended and not ended."
            ),
            metric("oldest_seconds", Gauge, "The age of the oldest of them."),
            metric(
                "held_seconds",
                Gauge,
                "How long one of them has held back the safe position, and with it all readers; 0 if none does."
            ),
            metric(
                "unconfirmed",
                Gauge,
                "Whether readers wait for a synchronous standby."
            ),
        ]
    ),
    query!(
        "eventcore_notifier",
        &["datname"],
        &[
            metric("up", Gauge, "Whether a notifier runs, or none is needed."),
            metric(
                "pending",
                Gauge,
                "Whether an append has ended that it has not seen yet."
            ),
            metric(
                "last_position",
                Gauge,
                "The safe position in the last notification."
            ),
            metric(
                "notifications_total",
                Counter,
                "Notifications that were sent."
            ),
            metric(
                "start_time_seconds",
                Gauge,
                "When it started, in seconds since 1970."
            ),
        ]
    ),
    query!(
        "eventcore_workers",
        &["datname"],
        &[
            metric(
                "running",
                Gauge,
                "Processes of eventcore that run in this database."
            ),
            metric("failures_total", Counter, "Failures of these processes."),
            metric(
                "last_error_time_seconds",
                Gauge,
                "When one of them failed last, in seconds since 1970."
            ),
        ]
    ),
    query!(
        "eventcore_subscription",
        &["datname", "subscription"],
        &[
            metric(
                "lag_events",
                Gauge,
                "The number of positions between its checkpoint and the safe position."
            ),
            metric(
                "lag_seconds",
                Gauge,
                "The age of the first event that is not handled; 0 without one."
            ),
            metric(
                "checkpoint",
                Gauge,
                "The position up to which everything is handled."
            ),
            metric("leased_events", Gauge, "Events that consumers hold."),
            metric("leases", Gauge, "Leases with such events."),
            metric(
                "expired_leases",
                Gauge,
                "Leases that have expired and whose events no poll has taken back."
            ),
            metric("consumers", Gauge, "Consumers with such events."),
            metric(
                "waiting_events",
                Gauge,
                "Events that came back and wait to be delivered again."
            ),
            metric(
                "retrying_events",
                Gauge,
                "Events that have failed and will be retried."
            ),
            metric(
                "streams_behind",
                Gauge,
                "Streams with events that wait for earlier ones."
            ),
            metric(
                "streams_stopped",
                Gauge,
                "Streams that are stopped for a parked event."
            ),
            metric("parked_events", Gauge, "Events that were set aside."),
            metric("paused", Gauge, "Whether it is paused."),
            metric(
                "last_error_time_seconds",
                Gauge,
                "When an event failed last that waits or is parked, in seconds since 1970."
            ),
        ]
    ),
    query!(
        "eventcore_subscription_oldest",
        &["datname", "subscription"],
        &[
            metric(
                "parked_seconds",
                Gauge,
                "The age of the event that was set aside first and is still there; 0 without one."
            ),
            metric(
                "expired_lease_seconds",
                Gauge,
                "How long ago a lease ended whose events no poll has taken back; 0 without one."
            ),
        ]
    ),
    query!(
        "eventcore_projection",
        &["datname", "projection"],
        &[
            metric(
                "lag_events",
                Gauge,
                "The number of positions between its checkpoint and the safe position."
            ),
            metric(
                "lag_seconds",
                Gauge,
                "The age of the first event that is not handled; 0 without one."
            ),
            metric(
                "checkpoint",
                Gauge,
                "The position up to which everything is handled."
            ),
            metric("attempts", Gauge, "How often the next event has failed."),
            metric(
                "skipped_total",
                Counter,
                "Events that were skipped because they failed."
            ),
            metric("parked_events", Gauge, "Events that were set aside."),
            metric(
                "oldest_parked_seconds",
                Gauge,
                "The age of the event that was set aside first and is still there; 0 without one."
            ),
            metric(
                "worker_running",
                Gauge,
                "Whether a worker runs it at this moment."
            ),
            metric(
                "failed",
                Gauge,
                "Whether it stands still for an event on which it failed."
            ),
            metric("paused", Gauge, "Whether it is paused."),
            metric(
                "waits",
                Gauge,
                "Whether it cannot run: no worker is free, its owner may not log in, and so on."
            ),
            metric(
                "last_error_time_seconds",
                Gauge,
                "When it failed last, in seconds since 1970."
            ),
        ]
    ),
    query!(
        "eventcore_checkpoint",
        &["datname", "projection"],
        &[
            metric(
                "position",
                Gauge,
                "The position up to which a projection in a client has taken effect."
            ),
            metric(
                "changed_time_seconds",
                Gauge,
                "When it was advanced last, in seconds since 1970."
            ),
        ]
    ),
    query!(
        "eventcore_events",
        &["datname"],
        &[metric(
            "last_position",
            Gauge,
            "The position of the last event."
        ),]
    ),
    query!(
        "eventcore_table",
        &["datname"],
        &[
            metric(
                "events_bytes",
                Gauge,
                "The size of the events, with what is kept apart of large payloads."
            ),
            metric("indexes_bytes", Gauge, "The size of their indexes."),
            metric(
                "events_estimate",
                Gauge,
                "An estimate of their number, from the last VACUUM or ANALYZE."
            ),
        ]
    ),
];
