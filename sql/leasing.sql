-- How a poll leases events to a consumer, step by step. The poll itself is in poll.sql.
--
-- Only one transaction at a time polls a subscription or changes it (eventcore.lock_subscription), and under that
-- lock it waits for nobody: what is being acknowledged is locked, and is skipped.
--
-- A stream is out with one lease at a time. Events that come back wait in eventcore.deliveries with no lease; events
-- that were read while an earlier one of their stream was out are not stored. Either way the stream has a row in
-- eventcore.backlogs. A poll gives out what came back, what is behind and what is new, each in its share of the room, so
-- that none waits for all of another. It looks at what is out by way of the leases there are, at no more than it can
-- give out of the rest, and never over positions that are done with.

CREATE FUNCTION eventcore.take_back_expired(s eventcore.subscriptions, now timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    back eventcore.deliveries;
    has_changed boolean := false;
BEGIN
    FOR back IN
        WITH expired AS MATERIALIZED (
            -- A lease from which something is being acknowledged is locked, and stays as it is.
            SELECT l.lease_id, l.consumer FROM eventcore.leases l
             WHERE l.subscription_id = s.id
               -- Later than any lease can last: the clock was set back.
               AND (l.leased_until <= now OR l.leased_until > now + 2 * s.lease)
               AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id OFFSET 0)
               FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM eventcore.leases l USING expired e
             WHERE l.subscription_id = s.id AND l.lease_id = e.lease_id
        ), held AS MATERIALIZED (
            SELECT d.ctid AS place, e.consumer, count(*) OVER (PARTITION BY d.lease_id) = 1 AS is_alone
              FROM expired e CROSS JOIN LATERAL (
                   SELECT v.ctid, v.lease_id FROM eventcore.deliveries v WHERE v.lease_id = e.lease_id OFFSET 0) d
        ), taken AS (
            UPDATE eventcore.deliveries d
               SET lease_id = NULL, expiries = d.expiries + 1, failures = d.failures + h.is_alone::integer,
                   failed_at = now, consumer = h.consumer, reason = format('the lease of consumer "%s" ran out', h.consumer)
              FROM held h
             WHERE d.ctid = h.place
            RETURNING d.*
        ), returned AS (
            INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, returned_position)
            SELECT s.id, t.stream_id, min(t.position) FROM taken t GROUP BY t.stream_id
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET returned_position = least(b.returned_position, excluded.returned_position)
        )
        SELECT t.* FROM taken t
         UNION ALL
        SELECT (NULL::eventcore.deliveries).* FROM expired e
    LOOP
        has_changed := true;
        IF back.failures > s.retry_limit THEN
            PERFORM eventcore.park(s, ARRAY[back.position], back.failures, back.consumer, back.reason);
        END IF;
    END LOOP;
    RETURN has_changed;
END
$$;
COMMENT ON FUNCTION eventcore.take_back_expired(eventcore.subscriptions, timestamptz) IS
    'Takes back leases that have run out, each as a whole. That counts as a failure of an event that was alone in its lease: of many nobody knows which was to blame.';

CREATE FUNCTION eventcore.refresh_backlogs(s eventcore.subscriptions, streams text[], parked_changed boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes, a row at a time: the statistics may be of a moment when there was little.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    done text[] COLLATE "C";
BEGIN
    WITH place AS MATERIALIZED (
        SELECT v.ctid FROM (SELECT DISTINCT t COLLATE "C" FROM unnest(streams) t) w (stream_id)
         CROSS JOIN LATERAL (
               SELECT b.ctid FROM eventcore.backlogs b
                WHERE b.subscription_id = s.id AND b.stream_id = w.stream_id OFFSET 0) v
    ), refreshed AS (
        UPDATE eventcore.backlogs b
           SET returned_position = (
                   SELECT d.position FROM eventcore.deliveries d
                    WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id AND d.lease_id IS NULL
                    ORDER BY d.position LIMIT 1),
               due = CASE WHEN NOT parked_changed THEN b.due
                          WHEN s.on_parked = 'stop' AND b.stream_id IN (
                               SELECT k.stream_id FROM eventcore.parked k WHERE k.subscription_id = s.id) THEN 'infinity'
                          WHEN b.due < 'infinity' THEN b.due
                          -- It was stopped.
                          ELSE coalesce((
                               SELECT max(d.not_before) FROM eventcore.deliveries d
                                WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id
                                  AND d.lease_id IS NULL AND d.failed_at <= clock_timestamp()), '-infinity') END
          FROM place p
         WHERE b.ctid = p.ctid
        RETURNING b.stream_id, b.returned_position, b.after_version, b.due
    )
    SELECT array_agg(f.stream_id) INTO done FROM refreshed f
     WHERE f.returned_position IS NULL AND f.after_version IS NULL AND f.due < 'infinity';
    IF done IS NOT NULL THEN
        WITH place AS MATERIALIZED (
            SELECT v.ctid FROM unnest(done) w (stream_id)
             CROSS JOIN LATERAL (
                   SELECT b.ctid FROM eventcore.backlogs b
                    WHERE b.subscription_id = s.id AND b.stream_id = w.stream_id OFFSET 0) v
        )
        DELETE FROM eventcore.backlogs b USING place p WHERE b.ctid = p.ctid;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.refresh_backlogs(eventcore.subscriptions, text[], boolean) IS
    'After a change of what came back of these streams, or of what is parked of them: what waits of each, and when it is due.';

CREATE FUNCTION eventcore.lease_returned(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    blocked   text[],
    room      integer,
    is_first  boolean,
    OUT leased   integer,
    OUT is_alone boolean
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    chosen    bigint[] := '{}';
    streams   text[] := '{}';
    candidate record;
BEGIN
    is_alone := false;
    leased := 0;
    IF room < 1 THEN
        RETURN;
    END IF;
    FOR candidate IN
        WITH stream AS MATERIALIZED (
            SELECT b.stream_id FROM eventcore.backlogs b
             WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due <= now
               AND b.stream_id NOT IN (SELECT unnest(blocked) COLLATE "C")
             ORDER BY b.due, b.returned_position LIMIT room
        )
        SELECT d.position, d.stream_id, d.expiries FROM stream t
         CROSS JOIN LATERAL (
               SELECT v.position, v.stream_id, v.expiries FROM eventcore.deliveries v
                WHERE v.subscription_id = s.id AND v.stream_id = t.stream_id AND v.lease_id IS NULL
                ORDER BY v.position LIMIT room) d
         ORDER BY d.position LIMIT room
    LOOP
        EXIT WHEN candidate.expiries >= 2 AND (NOT is_first OR leased > 0);
        is_alone := candidate.expiries >= 2;
        chosen[leased + 1] := candidate.position;
        streams[leased + 1] := candidate.stream_id;
        leased := leased + 1;
        EXIT WHEN is_alone;
    END LOOP;
    IF leased > 0 THEN
        WITH place AS MATERIALIZED (
            SELECT v.ctid FROM unnest(chosen) c
             CROSS JOIN LATERAL (
                   SELECT d.ctid FROM eventcore.deliveries d
                    WHERE d.subscription_id = s.id AND d.position = c OFFSET 0) v
        )
        UPDATE eventcore.deliveries d SET lease_id = lease_id FROM place p WHERE d.ctid = p.ctid;
        PERFORM eventcore.refresh_backlogs(s, streams, false);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.lease_returned(eventcore.subscriptions, timestamptz, uuid, text[], integer, boolean) IS
    'Leases events that came back, of streams that are due and not out, in order. is_first: the lease is empty. is_alone: nothing may be added to it.';

CREATE FUNCTION eventcore.lease_backlog(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    blocked   text[],
    room      integer,
    read_from bigint
)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    behind eventcore.backlogs;
    leased integer := 0;
    next   record;
BEGIN
    FOR behind IN
        SELECT b.* FROM eventcore.backlogs b
         WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due <= now
           AND b.stream_id NOT IN (SELECT unnest(blocked) COLLATE "C")
         ORDER BY b.due, b.next_position LIMIT greatest(room, 0)
    LOOP
        EXIT WHEN leased >= room;
        WITH found AS MATERIALIZED (
            SELECT v.position, v.version FROM eventcore.events v
             WHERE v.stream_id = behind.stream_id AND v.version > behind.after_version
               AND v.position <= read_from AND (s.event_types IS NULL OR v.event_type = ANY (s.event_types))
             ORDER BY v.version LIMIT room - leased + 1
        ), taken AS MATERIALIZED (
            SELECT f.position, f.version FROM found f ORDER BY f.version LIMIT room - leased
        ), listed AS (
            INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
            SELECT s.id, t.position, t.version, behind.stream_id, lease_id FROM taken t
        )
        SELECT count(*) AS leased, count(*) < (SELECT count(*) FROM found) AS has_more,
               max(t.version) AS last_version, (SELECT max(f.position) FROM found f) AS next_position
          INTO next FROM taken t;
        leased := leased + next.leased;
        IF next.has_more THEN
            UPDATE eventcore.backlogs b
               SET after_version = next.last_version, next_position = next.next_position
             WHERE b.subscription_id = s.id AND b.stream_id = behind.stream_id;
        ELSE
            DELETE FROM eventcore.backlogs b
             WHERE b.subscription_id = s.id AND b.stream_id = behind.stream_id;
        END IF;
    END LOOP;
    RETURN leased;
END
$$;
COMMENT ON FUNCTION eventcore.lease_backlog(eventcore.subscriptions, timestamptz, uuid, text[], integer, bigint) IS
    'Leases events of streams that are behind, of which nothing came back, and that are not out, the one that waits longest first; returns how many.';

CREATE FUNCTION eventcore.lease_new(
    s         eventcore.subscriptions,
    lease_id  uuid,
    blocked   text[],
    max_count integer,
    read_from bigint,
    page_size integer,
    OUT leased      integer,
    OUT is_anything boolean,
    OUT read_to     bigint
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    WITH page AS MATERIALIZED (
        SELECT r.position, r.stream_id, r.version
          FROM eventcore.read_all(read_from, page_size, false, s.stream_prefixes, s.event_types, true) r
    ), event AS MATERIALIZED (
        SELECT p.position, p.stream_id, p.version,
               p.stream_id IN (SELECT unnest(blocked) COLLATE "C") AS is_out,
               -- NULL: the stream does not wait; false: it waits with what came back alone, or is stopped.
               (SELECT b.after_version IS NOT NULL FROM eventcore.backlogs b
                 WHERE b.subscription_id = s.id AND b.stream_id = p.stream_id) AS is_behind
          FROM page p WHERE p.stream_id IS NOT NULL
    ), free AS MATERIALIZED (
        SELECT e.position, e.stream_id, e.version FROM event e
         WHERE NOT e.is_out AND e.is_behind IS NULL ORDER BY e.position LIMIT max_count
    ), reached AS (
        -- With the lease full, what comes after its last event is left for another poll.
        SELECT CASE WHEN (SELECT count(*) FROM free f) = max_count THEN (SELECT max(f.position) FROM free f)
                    ELSE (SELECT max(p.position) FROM page p) END AS read_to
    ), listed AS (
        INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
        SELECT s.id, f.position, f.version, f.stream_id, lease_id FROM free f
    ), fallen_behind AS (
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, after_version, next_position)
        SELECT DISTINCT ON (e.stream_id) s.id, e.stream_id, e.version - 1, e.position
          FROM event e, reached r
         WHERE (e.is_out OR NOT e.is_behind) AND e.is_behind IS NOT TRUE AND e.position <= r.read_to
         ORDER BY e.stream_id, e.version
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET after_version = excluded.after_version, next_position = excluded.next_position
             WHERE b.after_version IS NULL
    )
    SELECT (SELECT count(*) FROM free f), EXISTS (SELECT FROM event e), r.read_to
      INTO leased, is_anything, read_to
      FROM reached r;
END
$$;
COMMENT ON FUNCTION eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer) IS
    'Reads on and leases events of streams that are neither out nor waiting; one that is out waits from then on.';

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
-- By their indexes, a row at a time: the statistics are of tables that are empty one moment and full the next.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    now       timestamptz := clock_timestamp();
    began     bigint := eventcore.monotonic();
    safe      bigint := eventcore.safe_position();
    -- What is behind and what is new have a quarter of the lease each, and what others leave of it.
    share     integer := max_count / 4;
    room      integer := max_count - 2 * share;
    given     integer;
    are_more_returned boolean;
    are_more_behind   boolean;
    blocked   text[];
    is_alone  boolean;
    new       record;
    page_size integer := max_count;
BEGIN
    read_to := read_from;
    has_changed := eventcore.take_back_expired(s, now);
    -- A delay that began later than it is now begins now: the clock was set back. A second is left to its steps.
    UPDATE eventcore.backlogs b SET due = now + (b.due - b.delayed_at), delayed_at = now
     WHERE b.subscription_id = s.id AND b.delayed_at > now + interval '1 s' AND b.due < 'infinity';
    SELECT coalesce(array_agg(DISTINCT d.stream_id), '{}'), min(l.leased_until) FILTER (WHERE l.leased_until > now)
      INTO blocked, next_due
      FROM eventcore.leases l
     CROSS JOIN LATERAL (SELECT v.stream_id FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id OFFSET 0) d
     WHERE l.subscription_id = s.id;
    is_blocked := cardinality(blocked) > 0;
    next_due := least(next_due,
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NOT NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1),
        (SELECT b.due FROM eventcore.backlogs b
          WHERE b.subscription_id = s.id AND b.returned_position IS NULL AND b.due > now AND b.due < 'infinity'
          ORDER BY b.due LIMIT 1));
    IF share = 0 AND random() < 0.25 AND eventcore.has_many_waiting(s, now) THEN
        -- Too small to be shared: now and then what is new comes first.
        share := max_count;
        room := 0;
    END IF;

    SELECT l.leased, l.is_alone INTO leased, is_alone
      FROM eventcore.lease_returned(s, now, lease_id, blocked, room, true) l;
    IF is_alone THEN
        has_changed := true;
        is_caught_up := true;
        RETURN;
    END IF;
    are_more_returned := leased >= room;
    room := max_count - share - leased;
    given := eventcore.lease_backlog(s, now, lease_id, blocked, room, read_from);
    are_more_behind := given >= room;
    leased := leased + given;
    has_changed := has_changed OR leased > 0;
    is_caught_up := read_to >= safe;
    WHILE NOT is_caught_up AND leased < max_count LOOP
        SELECT * INTO new
          FROM eventcore.lease_new(s, lease_id, blocked, max_count - leased, read_to, page_size);
        leased := leased + new.leased;
        has_changed := has_changed OR new.is_anything;
        read_to := new.read_to;
        is_caught_up := read_to >= safe;
        -- Far behind, with a filter that lets little through, or most streams out: others have their turn, and
        -- the next attempt goes on from here.
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
END
$$;
COMMENT ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint) IS
    'One attempt to lease events, under the lock of the subscription: what came back, what is behind, what is new.';

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
BEGIN
    DELETE FROM eventcore.leases l
     WHERE l.subscription_id = s.id
       AND l.lease_id IN (
               SELECT o.lease_id FROM eventcore.leases o
                WHERE o.subscription_id = s.id
                  AND NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = o.lease_id OFFSET 0)
                  FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION eventcore.remove_empty_leases(eventcore.subscriptions) IS
    'Removes leases from which everything has been acknowledged or given back.';
