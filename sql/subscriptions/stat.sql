-- Monitoring of durable subscriptions. Reading the view scans the outstanding deliveries, not the events.

CREATE VIEW eventcore.stat_subscriptions AS
SELECT s.name, s.paused,
       c.checkpoint,
       h.safe_position,
       (SELECT greatest(h.safe_position - c.checkpoint - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(c.checkpoint, y.reserved_position), 0)), 0), 0)::bigint
             FROM eventcore.history y WHERE y.cause <> 'new') AS lag_events,
       coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - n.recorded_at), 0)::double precision AS lag_seconds,
       coalesce(d.leased, 0) AS leased,
       coalesce(d.leases, 0) AS leases,
       (SELECT count(DISTINCT l.consumer) FROM eventcore.leases l
         WHERE l.subscription_id = s.id
           AND EXISTS (SELECT FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id)) AS consumers,
       coalesce(d.waiting, 0) AS waiting,
       coalesce(d.retrying, 0) AS retrying,
       coalesce(b.streams, 0) AS streams_behind,
       coalesce(k.parked, 0) AS parked,
       CASE WHEN s.on_parked = 'stop' THEN coalesce(k.streams, 0) ELSE 0 END AS streams_stopped,
       CASE WHEN k.parked_at > d.failed_at OR d.failed_at IS NULL THEN k.reason ELSE d.reason END AS last_error,
       greatest(k.parked_at, d.failed_at) AS last_error_at,
       s.read_position, s.stream_prefixes, s.event_types,
       extract(epoch FROM s.lease)::double precision AS lease_seconds, s.retry_limit, s.on_parked, s.created_at,
       s.home_id <> eventcore.home_id() AS is_copy
  FROM eventcore.subscriptions s
 CROSS JOIN (SELECT eventcore.safe_position() AS safe_position) h
  LEFT JOIN LATERAL (
       SELECT min(v.position) AS first_position,
              count(v.lease_id) AS leased,
              count(DISTINCT v.lease_id) AS leases,
              count(*) FILTER (WHERE v.lease_id IS NULL) AS waiting,
              count(*) FILTER (WHERE v.failures > 0) AS retrying,
              max(v.failed_at) AS failed_at,
              (array_agg(v.reason ORDER BY v.failed_at DESC) FILTER (WHERE v.failed_at IS NOT NULL))[1] AS reason
         FROM eventcore.deliveries v WHERE v.subscription_id = s.id) d ON true
  LEFT JOIN LATERAL (
       SELECT count(v.after_version) AS streams, min(v.next_position) AS first_position
         FROM eventcore.backlogs v WHERE v.subscription_id = s.id) b ON true
  LEFT JOIN LATERAL (
       SELECT count(*) AS parked, count(DISTINCT v.stream_id) AS streams, max(v.parked_at) AS parked_at,
              (array_agg(v.reason ORDER BY v.parked_at DESC))[1] AS reason
         FROM eventcore.parked v WHERE v.subscription_id = s.id) k ON true
 CROSS JOIN LATERAL (
       SELECT coalesce(least(d.first_position, b.first_position) - 1, s.read_position) AS checkpoint) c
  LEFT JOIN LATERAL (
       SELECT v.recorded_at FROM eventcore.events v
        WHERE v.position > c.checkpoint AND v.position <= h.safe_position
        ORDER BY v.position LIMIT 1) n ON true;
COMMENT ON VIEW eventcore.stat_subscriptions IS
    'The progress of each subscription, and what holds it back.';
COMMENT ON COLUMN eventcore.stat_subscriptions.name IS 'The subscription.';
COMMENT ON COLUMN eventcore.stat_subscriptions.paused IS 'Whether it is paused: polls get no events.';
COMMENT ON COLUMN eventcore.stat_subscriptions.checkpoint IS
    'All matching events up to this position are acknowledged, skipped or parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.safe_position IS 'The position up to which events can be read.';
COMMENT ON COLUMN eventcore.stat_subscriptions.lag_events IS
    'The number of positions between the two, without those between two histories: an upper bound of the events that are left.';
COMMENT ON COLUMN eventcore.stat_subscriptions.lag_seconds IS
    'The age of the first event after the checkpoint, matching or not yet read; 0 if there is no such event.';
COMMENT ON COLUMN eventcore.stat_subscriptions.leased IS 'Leased events, including those in expired leases.';
COMMENT ON COLUMN eventcore.stat_subscriptions.leases IS 'Leases with such events.';
COMMENT ON COLUMN eventcore.stat_subscriptions.consumers IS 'Consumers with such events, by name.';
COMMENT ON COLUMN eventcore.stat_subscriptions.waiting IS
    'Events that came back and wait to be delivered again.';
COMMENT ON COLUMN eventcore.stat_subscriptions.streams_behind IS
    'Streams with events that were read and wait, because earlier events of the stream are leased.';
COMMENT ON COLUMN eventcore.stat_subscriptions.streams_stopped IS
    'Streams that are stopped because one of their events is parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.read_position IS 'The position up to which it has read.';
COMMENT ON COLUMN eventcore.stat_subscriptions.retrying IS 'Events that have failed and will be retried.';
COMMENT ON COLUMN eventcore.stat_subscriptions.parked IS 'Events that have been parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.last_error IS
    'The reason of the newest failure among events that will be retried or are parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.last_error_at IS 'When the newest failure was.';
COMMENT ON COLUMN eventcore.stat_subscriptions.stream_prefixes IS 'Its filter by streams; NULL: all.';
COMMENT ON COLUMN eventcore.stat_subscriptions.event_types IS 'Its filter by types; NULL: all.';
COMMENT ON COLUMN eventcore.stat_subscriptions.lease_seconds IS 'How long a consumer has for the events of one poll, in seconds.';
COMMENT ON COLUMN eventcore.stat_subscriptions.retry_limit IS 'How often an event is retried before it is parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.on_parked IS 'Whether the stream of a parked event continues or stops.';
COMMENT ON COLUMN eventcore.stat_subscriptions.created_at IS 'When it was created.';
COMMENT ON COLUMN eventcore.stat_subscriptions.is_copy IS
    'Whether it is a copy that belongs to another database: it cannot be polled here until it is adopted.';
