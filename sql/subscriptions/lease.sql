-- How a poll leases events to a consumer, step by step. The poll itself is in poll.sql, and the steps
-- are in lease_returned.sql, lease_backlog.sql and lease_new.sql.
--
-- Only one transaction at a time polls or changes a subscription (eventcore.lock_subscription). While it holds that lock it
-- does not wait: it skips rows that a consumer is acknowledging, because they are locked.
--
-- A stream is in one lease at a time. Events that come back wait in eventcore.deliveries without a lease. Events that were
-- read while an earlier one of their stream was leased are not stored. In both cases the stream has a row in
-- eventcore.backlogs. A poll leases events that came back, events of streams that are behind, and new events. Each kind has
-- a share of the lease, so that none has to wait for all of another. The cost of a poll does not grow with the events that
-- have been handled: it finds leased events through the existing leases, and reads no more of the others than it can lease.

CREATE FUNCTION eventcore.lease_events(
    s         eventcore.subscriptions,
    lease_id  uuid,
    max_count integer,
    read_from bigint,
    OUT leased       integer,
    OUT has_changed  boolean,
    OUT is_blocked   boolean,
    OUT is_caught_up boolean,
    OUT next_due     timestamptz,
    OUT read_to      bigint
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    now       timestamptz := clock_timestamp();
    began     bigint := eventcore.monotonic();
    safe      bigint := eventcore.safe_position();
    -- Streams that are behind and new events have a quarter of the lease each, and what the other kinds leave free.
    share     integer := max_count / 4;
    room      integer := max_count - 2 * share;
    given     integer;
    are_more_returned boolean := false;
    are_more_behind   boolean := false;
    blocked   text[];
    has_expired boolean;
    waiting   record;
    is_alone  boolean;
    new       record;
    page_size integer := max_count;
BEGIN
    read_to := read_from;
    LOOP
        SELECT coalesce(array_agg(d.stream_id), '{}'), min(l.leased_until) FILTER (WHERE l.leased_until > now),
               -- Later than any lease can expire: the clock was set back.
               coalesce(bool_or(l.leased_until <= now OR l.leased_until > now + 2 * s.lease), false)
          INTO blocked, next_due, has_expired
          FROM eventcore.leases l
         CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM eventcore.acknowledged a
                                             WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id) AS in_part OFFSET 0) k
         CROSS JOIN LATERAL (
               SELECT v.stream_id FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id AND v.positions IS NULL
                UNION ALL
               SELECT e.stream_id FROM eventcore.deliveries v
                CROSS JOIN LATERAL unnest(v.stream_ids, v.positions) e (stream_id, position)
                WHERE v.lease_id = l.lease_id AND v.positions IS NOT NULL
                  AND CASE WHEN k.in_part THEN NOT EXISTS (
                               SELECT FROM eventcore.acknowledged a
                                WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = e.position)
                           ELSE true END) d
         WHERE l.subscription_id = s.id;
        -- Not twice: expired leases that consumers are acknowledging stay.
        EXIT WHEN NOT has_expired OR has_changed IS NOT NULL;
        has_changed := eventcore.take_back_expired(s, now);
    END LOOP;
    has_changed := coalesce(has_changed, false);
    is_blocked := cardinality(blocked) > 0;
    -- Most often nothing waits. Then this statement takes the place of several.
    SELECT EXISTS (SELECT FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due <= now) AS are_returned,
           EXISTS (SELECT FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due <= now) AS are_behind,
           EXISTS (SELECT FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.delayed_at > now + interval '1 s' AND isfinite(b.due)) AS are_in_future
      INTO waiting;
    IF waiting.are_in_future THEN
        -- A delay that began in the future begins now: the clock was set back. Steps of up to a second are tolerated.
        UPDATE eventcore.backlogs b SET due = now + (b.due - b.delayed_at), delayed_at = now
         WHERE b.subscription_id = s.id AND b.delayed_at > now + interval '1 s' AND isfinite(b.due);
    END IF;
    IF share = 0 AND random() < 0.25 AND eventcore.has_many_waiting(s, now) THEN
        -- The lease is too small to be shared: in one of four polls new events come first.
        share := max_count;
        room := 0;
    END IF;

    leased := 0;
    IF waiting.are_returned OR waiting.are_in_future THEN
        SELECT l.leased, l.is_alone INTO leased, is_alone
          FROM eventcore.lease_returned(s, now, lease_id, blocked, room, true) l;
        IF is_alone THEN
            has_changed := true;
            is_caught_up := true;
            RETURN;
        END IF;
        are_more_returned := leased >= room;
    END IF;
    room := max_count - share - leased;
    -- A stream whose returned events have just been leased may still be behind.
    IF waiting.are_behind OR waiting.are_in_future OR leased > 0 THEN
        given := eventcore.lease_backlog(s, now, lease_id, blocked, room, read_from);
        are_more_behind := given >= room;
        leased := leased + given;
    END IF;
    has_changed := has_changed OR leased > 0;
    is_caught_up := read_to >= safe;
    WHILE NOT is_caught_up AND leased < max_count LOOP
        SELECT * INTO new
          FROM eventcore.lease_new(s, lease_id, blocked, max_count - leased, read_to, page_size);
        leased := leased + new.leased;
        has_changed := has_changed OR new.is_anything;
        read_to := new.read_to;
        is_caught_up := read_to >= safe;
        -- Far behind, with a filter that few events match, or most streams leased: other sessions get their turn, and the
        -- next attempt continues from here.
        EXIT WHEN NOT new.is_anything OR eventcore.monotonic() > began + 500000;
        page_size := least(1000, 2 * page_size);
    END LOOP;
    IF are_more_behind AND leased < max_count THEN
        leased := leased + eventcore.lease_backlog(s, now, lease_id, blocked, max_count - leased, read_to);
    END IF;
    IF are_more_returned AND leased < max_count THEN
        leased := leased + (SELECT l.leased FROM eventcore.lease_returned(
                                s, now, lease_id, blocked, max_count - leased, leased = 0) l);
    END IF;
    has_changed := has_changed OR leased > 0;
    IF has_changed THEN
        RETURN;
    END IF;
    -- The poll may wait until then.
    next_due := least(next_due,
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1),
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1));
END
$$;
COMMENT ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint) IS
    'One attempt to lease events, under the lock of the subscription: events that came back, events of streams that are behind, new events.';

CREATE FUNCTION eventcore.has_many_waiting(s eventcore.subscriptions, now timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    RETURN (SELECT count(*) > 100 FROM (
                SELECT FROM eventcore.backlogs b
                 WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due <= now LIMIT 101) v)
        OR (SELECT count(*) > 100 FROM (
                SELECT FROM eventcore.backlogs b
                 WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due <= now LIMIT 101) v);
END
$$;
COMMENT ON FUNCTION eventcore.has_many_waiting(eventcore.subscriptions, timestamptz) IS
    'Whether more than a hundred streams wait and are due.';

CREATE FUNCTION eventcore.remove_empty_leases(s eventcore.subscriptions) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed uuid[];
    gone    uuid;
BEGIN
    WITH empty AS (
        DELETE FROM eventcore.leases l
         WHERE l.ctid = ANY (ARRAY(
                   SELECT o.ctid FROM eventcore.leases o
                    WHERE o.subscription_id = s.id
                      AND NOT EXISTS (
                          SELECT FROM eventcore.deliveries d
                           WHERE d.lease_id = o.lease_id AND (d.positions IS NULL OR cardinality(d.positions) > (
                                 SELECT count(*) FROM eventcore.acknowledged a
                                  WHERE a.subscription_id = s.id AND a.lease_id = d.lease_id
                                    AND a.position BETWEEN d.position AND d.positions[cardinality(d.positions)])) OFFSET 0)
                      FOR UPDATE SKIP LOCKED))
        RETURNING l.lease_id
    )
    SELECT array_agg(e.lease_id) FILTER (WHERE EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = e.lease_id OFFSET 0))
      INTO removed FROM empty e;
    IF removed IS NOT NULL THEN
        -- Their events have been acknowledged one by one.
        FOREACH gone IN ARRAY removed LOOP
            PERFORM eventcore.unpack_lease(s, gone);
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.remove_empty_leases(eventcore.subscriptions) IS
    'Removes leases whose events have all been acknowledged or given back.';

CREATE FUNCTION eventcore.unpack_lease(s eventcore.subscriptions, lease_id uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    WITH packed AS (
        DELETE FROM eventcore.deliveries d
         WHERE d.lease_id = lease_id AND d.positions IS NOT NULL
        RETURNING d.positions, d.versions, d.stream_ids
    )
    INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
    SELECT s.id, e.position, e.version, e.stream_id, lease_id
      FROM packed p CROSS JOIN LATERAL unnest(p.positions, p.versions, p.stream_ids) e (position, version, stream_id)
     WHERE NOT EXISTS (SELECT FROM eventcore.acknowledged a
                        WHERE a.subscription_id = s.id AND a.lease_id = lease_id AND a.position = e.position OFFSET 0);
    DELETE FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id;
END
$$;
COMMENT ON FUNCTION eventcore.unpack_lease(eventcore.subscriptions, uuid) IS
    'Makes a row of each event that the lease still holds. For a transaction that has locked the lease, or its rows, FOR UPDATE and whose snapshot is newer.';
