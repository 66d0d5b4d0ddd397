-- Monitoring of durable subscriptions. Reading the view counts leased, waiting and parked events in indexes, and looks at each
-- stream that waits.

CREATE VIEW eventcore.stat_subscriptions AS
SELECT s.name, s.paused,
       c.checkpoint,
       h.safe_position,
       (SELECT greatest(h.safe_position - c.checkpoint - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(c.checkpoint, y.reserved_position), 0)), 0), 0)::bigint
             FROM eventcore.history y WHERE y.cause <> 'new') AS lag_events,
       coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - n.recorded_at), 0)::double precision AS lag_seconds,
       coalesce(o.leased, 0)::bigint AS leased,
       o.leases,
       o.consumers,
       (SELECT count(*) FROM eventcore.deliveries v WHERE v.subscription_id = s.id AND v.lease_id IS NULL) AS waiting,
       (SELECT count(*) FROM eventcore.deliveries v
         WHERE v.subscription_id = s.id AND v.failed_at IS NOT NULL AND v.failures > 0) AS retrying,
       b.streams_behind,
       (SELECT count(*) FROM eventcore.parked k WHERE k.subscription_id = s.id) AS parked,
       CASE WHEN s.on_parked = 'stop' THEN b.streams_stopped ELSE 0 END AS streams_stopped,
       f.reason AS last_error,
       f.failed_at AS last_error_at,
       s.read_position, s.stream_prefixes, s.event_types,
       extract(epoch FROM s.lease)::double precision AS lease_seconds, s.retry_limit, s.on_parked, s.created_at,
       s.home_id <> eventcore.home_id() AS is_copy,
       (SELECT min(k.parked_at) FROM eventcore.parked k
         WHERE k.subscription_id = s.id AND k.parked_at > '-infinity') AS oldest_parked_at,
       o.expired_leases,
       o.oldest_expired_at
  FROM eventcore.subscriptions s
 CROSS JOIN (SELECT eventcore.safe_position() AS safe_position) h
 CROSS JOIN LATERAL (
       SELECT sum(d.events) AS leased, count(*) AS leases, count(DISTINCT l.consumer) AS consumers,
              count(*) FILTER (WHERE l.leased_until <= pg_catalog.clock_timestamp()) AS expired_leases,
              min(l.leased_until) FILTER (WHERE l.leased_until <= pg_catalog.clock_timestamp()) AS oldest_expired_at
         FROM eventcore.leases l
        CROSS JOIN LATERAL (
              SELECT coalesce(sum(coalesce(cardinality(v.positions), 1)), 0)
                     - (SELECT count(*) FROM eventcore.acknowledged a
                         WHERE a.subscription_id = l.subscription_id AND a.lease_id = l.lease_id) AS events
                FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id) d
        WHERE l.subscription_id = s.id AND d.events > 0) o
 CROSS JOIN LATERAL (
       SELECT count(v.after_version) AS streams_behind, count(*) FILTER (WHERE v.due = 'infinity') AS streams_stopped,
              min(v.next_position) AS first_position
         FROM eventcore.backlogs v WHERE v.subscription_id = s.id) b
  LEFT JOIN LATERAL (
       SELECT e.failed_at, e.reason
         FROM ((SELECT v.failed_at, v.reason FROM eventcore.deliveries v
                 WHERE v.subscription_id = s.id AND v.failed_at IS NOT NULL ORDER BY v.failed_at DESC LIMIT 1)
                UNION ALL
               (SELECT k.parked_at, k.reason FROM eventcore.parked k
                 WHERE k.subscription_id = s.id AND k.parked_at > '-infinity' ORDER BY k.parked_at DESC LIMIT 1)) e
        ORDER BY e.failed_at DESC LIMIT 1) f ON true
 CROSS JOIN LATERAL (
       SELECT coalesce(least((SELECT v.position FROM eventcore.deliveries v WHERE v.subscription_id = s.id AND v.positions IS NULL
                               ORDER BY v.position LIMIT 1),
                             (SELECT min(e.position) FROM eventcore.leases l
                               CROSS JOIN LATERAL (SELECT v.positions FROM eventcore.deliveries v
                                                    WHERE v.lease_id = l.lease_id AND v.positions IS NOT NULL OFFSET 0) w
                               CROSS JOIN LATERAL (SELECT p AS position FROM unnest(w.positions) WITH ORDINALITY u (p, place)
                                                    WHERE NOT EXISTS (SELECT FROM eventcore.acknowledged a
                                                                       WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = p)
                                                    ORDER BY place LIMIT 1) e
                               WHERE l.subscription_id = s.id),
                             b.first_position) - 1, s.read_position) AS checkpoint OFFSET 0) c
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
COMMENT ON COLUMN eventcore.stat_subscriptions.oldest_parked_at IS
    'When the event was parked that has been parked longest; NULL: none is parked.';
COMMENT ON COLUMN eventcore.stat_subscriptions.expired_leases IS
    'Leases with events that have expired: no poll has taken their events back yet.';
COMMENT ON COLUMN eventcore.stat_subscriptions.oldest_expired_at IS 'When the first of these leases expired; NULL: there is none.';
