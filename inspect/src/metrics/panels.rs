//! What the dashboard shows: the table of its rows and graphs.

/// A row of panels.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: &'static [Panel],
}

/// A graph: its title, its unit, and for each line the expression and its name.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) lines: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    unit: &'static str,
    lines: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, unit, lines }
}

/// `@` stands for the labels by which the reader has chosen.
pub(super) const ROWS: &[Row] = &[
    Row {
        title: "Overview",
        panels: &[
            panel(
                "Appends and events",
                "ops",
                &[
                    (
                        "rate(eventcore_store_appends_total{@}[$__rate_interval])",
                        "{{datname}} appends",
                    ),
                    (
                        "rate(eventcore_store_events_total{@}[$__rate_interval])",
                        "{{datname}} events",
                    ),
                ],
            ),
            panel(
                "Appends in vain",
                "ops",
                &[
                    (
                        "rate(eventcore_store_conflicts_total{@}[$__rate_interval])",
                        "{{datname}} conflicts",
                    ),
                    (
                        "rate(eventcore_store_repeats_total{@}[$__rate_interval])",
                        "{{datname}} repeats",
                    ),
                    (
                        "rate(eventcore_store_rolled_back_total{@}[$__rate_interval])",
                        "{{datname}} rolled back",
                    ),
                ],
            ),
            panel(
                "Conflicts for each append",
                "percentunit",
                &[(
                    "rate(eventcore_store_conflicts_total{@}[$__rate_interval]) / rate(eventcore_store_appends_total{@}[$__rate_interval])",
                    "{{datname}}",
                )],
            ),
            panel(
                "Executions of commands in the server",
                "ops",
                &[(
                    "rate(eventcore_execute_total{@}[$__rate_interval])",
                    "{{datname}} {{outcome}}",
                )],
            ),
            panel(
                "Processes",
                "short",
                &[
                    ("eventcore_workers_running{@}", "{{datname}} running"),
                    (
                        "increase(eventcore_workers_failures_total{@}[$__rate_interval])",
                        "{{datname}} failures",
                    ),
                ],
            ),
            panel(
                "Versions",
                "short",
                &[(
                    "eventcore_build_info{@}",
                    "{{datname}} objects {{extension}}, library {{library}}, PostgreSQL {{postgresql}}",
                )],
            ),
        ],
    },
    Row {
        title: "Readers",
        panels: &[
            panel(
                "Positions",
                "short",
                &[
                    (
                        "eventcore_events_last_position{@}",
                        "{{datname}} last event",
                    ),
                    ("eventcore_safe_position{@}", "{{datname}} safe position"),
                    (
                        "eventcore_notifier_last_position{@}",
                        "{{datname}} notified",
                    ),
                ],
            ),
            panel(
                "Readers are held back for",
                "s",
                &[
                    (
                        "eventcore_inflight_held_seconds{@}",
                        "{{datname}} held back",
                    ),
                    (
                        "eventcore_inflight_oldest_seconds{@}",
                        "{{datname}} oldest transaction",
                    ),
                ],
            ),
            panel(
                "Transactions in flight",
                "short",
                &[
                    (
                        "eventcore_inflight_transactions{@}",
                        "{{datname}} transactions",
                    ),
                    (
                        "eventcore_inflight_unconfirmed{@}",
                        "{{datname}} unconfirmed",
                    ),
                ],
            ),
            panel(
                "Notifier",
                "short",
                &[
                    ("eventcore_notifier_up{@}", "{{datname}} up"),
                    ("eventcore_notifier_pending{@}", "{{datname}} pending"),
                    (
                        "rate(eventcore_notifier_notifications_total{@}[$__rate_interval])",
                        "{{datname}} notifications/s",
                    ),
                ],
            ),
        ],
    },
    Row {
        title: "Subscriptions",
        panels: &[
            panel(
                "Lag of subscriptions",
                "s",
                &[("eventcore_subscription_lag_seconds{@s}", "{{subscription}}")],
            ),
            panel(
                "Lag of subscriptions in positions",
                "short",
                &[("eventcore_subscription_lag_events{@s}", "{{subscription}}")],
            ),
            panel(
                "Positions that consumers get done",
                "ops",
                &[(
                    "deriv(eventcore_subscription_checkpoint{@s}[$__rate_interval])",
                    "{{subscription}}",
                )],
            ),
            panel(
                "Consumers",
                "short",
                &[
                    (
                        "eventcore_subscription_consumers{@s}",
                        "{{subscription}} consumers",
                    ),
                    (
                        "eventcore_subscription_leases{@s}",
                        "{{subscription}} leases",
                    ),
                    (
                        "eventcore_subscription_expired_leases{@s}",
                        "{{subscription}} expired leases",
                    ),
                    (
                        "eventcore_subscription_paused{@s}",
                        "{{subscription}} paused",
                    ),
                ],
            ),
            panel(
                "Events of consumers",
                "short",
                &[
                    (
                        "eventcore_subscription_leased_events{@s}",
                        "{{subscription}} leased",
                    ),
                    (
                        "eventcore_subscription_waiting_events{@s}",
                        "{{subscription}} waiting",
                    ),
                    (
                        "eventcore_subscription_retrying_events{@s}",
                        "{{subscription}} retrying",
                    ),
                ],
            ),
            panel(
                "Streams that wait",
                "short",
                &[
                    (
                        "eventcore_subscription_streams_behind{@s}",
                        "{{subscription}} behind",
                    ),
                    (
                        "eventcore_subscription_streams_stopped{@s}",
                        "{{subscription}} stopped",
                    ),
                ],
            ),
            panel(
                "Parked events",
                "short",
                &[(
                    "eventcore_subscription_parked_events{@s}",
                    "{{subscription}}",
                )],
            ),
            panel(
                "What has waited for a person or a consumer",
                "s",
                &[
                    (
                        "eventcore_subscription_oldest_parked_seconds{@s}",
                        "{{subscription}} parked",
                    ),
                    (
                        "eventcore_subscription_oldest_expired_lease_seconds{@s}",
                        "{{subscription}} expired lease",
                    ),
                ],
            ),
            panel(
                "Last failure of a consumer",
                "s",
                &[(
                    "time() - eventcore_subscription_last_error_time_seconds{@s}",
                    "{{subscription}} ago",
                )],
            ),
        ],
    },
    Row {
        title: "Projections",
        panels: &[
            panel(
                "Lag of projections",
                "s",
                &[("eventcore_projection_lag_seconds{@p}", "{{projection}}")],
            ),
            panel(
                "Lag of projections in positions",
                "short",
                &[("eventcore_projection_lag_events{@p}", "{{projection}}")],
            ),
            panel(
                "Positions that projections get done",
                "ops",
                &[(
                    "deriv(eventcore_projection_checkpoint{@p}[$__rate_interval])",
                    "{{projection}}",
                )],
            ),
            panel(
                "State of projections",
                "short",
                &[
                    ("eventcore_projection_failed{@p}", "{{projection}} failed"),
                    ("eventcore_projection_paused{@p}", "{{projection}} paused"),
                    (
                        "eventcore_projection_waits{@p}",
                        "{{projection}} cannot run",
                    ),
                    (
                        "eventcore_projection_worker_running{@p}",
                        "{{projection}} running",
                    ),
                ],
            ),
            panel(
                "Failures of projections",
                "short",
                &[
                    (
                        "eventcore_projection_attempts{@p}",
                        "{{projection}} attempts",
                    ),
                    (
                        "eventcore_projection_parked_events{@p}",
                        "{{projection}} parked",
                    ),
                    (
                        "increase(eventcore_projection_skipped_total{@p}[$__rate_interval])",
                        "{{projection}} skipped",
                    ),
                ],
            ),
            panel(
                "What a projection has set aside has waited for",
                "s",
                &[(
                    "eventcore_projection_oldest_parked_seconds{@p}",
                    "{{projection}}",
                )],
            ),
            panel(
                "Last failure of a projection",
                "s",
                &[(
                    "time() - eventcore_projection_last_error_time_seconds{@p}",
                    "{{projection}} ago",
                )],
            ),
            panel(
                "Projections in clients",
                "short",
                &[("eventcore_checkpoint_position{@p}", "{{projection}}")],
            ),
            panel(
                "Projections in clients: last advanced",
                "s",
                &[(
                    "time() - eventcore_checkpoint_changed_time_seconds{@p}",
                    "{{projection}} ago",
                )],
            ),
        ],
    },
    Row {
        title: "Storage",
        panels: &[
            panel(
                "Size",
                "bytes",
                &[
                    ("eventcore_table_events_bytes{@}", "{{datname}} events"),
                    ("eventcore_table_indexes_bytes{@}", "{{datname}} indexes"),
                ],
            ),
            panel(
                "Events",
                "short",
                &[("eventcore_table_events_estimate{@}", "{{datname}}")],
            ),
            panel(
                "Scrapes",
                "s",
                &[("eventcore_scrape_duration_seconds", "{{instance}}")],
            ),
            panel(
                "Scrapes that failed",
                "short",
                &[
                    ("1 - eventcore_up", "{{instance}}"),
                    ("eventcore_scrape_errors", "{{instance}} {{query}}"),
                ],
            ),
        ],
    },
];
