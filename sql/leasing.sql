-- How a poll leases events to a consumer, step by step. The poll itself is in poll.sql.
--
-- Only one transaction at a time polls a subscription or changes it (eventcore.lock_subscription), and under that
-- lock it waits for nobody: what is being acknowledged is locked, and is skipped.
--
-- A stream is out with one lease at a time. Events that come back wait in eventcore.deliveries with no lease; for
-- events that were read while an earlier one of their stream was out, the stream has a row in eventcore.backlogs.
-- So a poll gives out what came back, then what is behind, then what is new. It looks at what is out by way of the
-- leases there are, at no more than it can give out of the rest, and never over positions that are done with.

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
             WHERE l.subscription_id = s.id AND l.leased_until <= now
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

CREATE FUNCTION eventcore.lease_again(
    s         eventcore.subscriptions,
    now       timestamptz,
    lease_id  uuid,
    blocked   text[],
    max_count integer,
    OUT leased   integer,
    OUT is_alone boolean
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    chosen    bigint[] := '{}';
    candidate record;
BEGIN
    is_alone := false;
    FOR candidate IN
        -- No join: its plan would depend on statistics of a table that is empty one moment and full the next.
        WITH waiting AS MATERIALIZED (
            SELECT d.position, d.stream_id, d.expiries,
                   max(d.not_before) OVER (PARTITION BY d.stream_id) > now AS is_delayed
              FROM eventcore.deliveries d
             WHERE d.subscription_id = s.id AND d.lease_id IS NULL
        )
        SELECT w.position, w.expiries FROM waiting w
         WHERE NOT w.is_delayed AND w.stream_id NOT IN (SELECT unnest(blocked) COLLATE "C")
         ORDER BY w.position LIMIT max_count
    LOOP
        is_alone := candidate.expiries >= 2;
        EXIT WHEN is_alone AND cardinality(chosen) > 0;
        chosen := chosen || candidate.position;
        EXIT WHEN is_alone;
    END LOOP;
    UPDATE eventcore.deliveries d SET lease_id = lease_id
      FROM unnest(chosen) c
     WHERE d.subscription_id = s.id AND d.position = c;
    leased := cardinality(chosen);
END
$$;
COMMENT ON FUNCTION eventcore.lease_again(eventcore.subscriptions, timestamptz, uuid, text[], integer) IS
    'Leases events that came back, of streams that are not blocked, in order. is_alone: nothing may be added to the lease.';

CREATE FUNCTION eventcore.lease_backlog(
    s         eventcore.subscriptions,
    lease_id  uuid,
    blocked   text[],
    max_count integer,
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
         WHERE b.subscription_id = s.id
           AND NOT EXISTS (SELECT FROM unnest(blocked) o WHERE o = b.stream_id COLLATE "C")
         ORDER BY b.next_position LIMIT max_count
    LOOP
        EXIT WHEN leased >= max_count;
        WITH found AS MATERIALIZED (
            SELECT v.position, v.version FROM eventcore.events v
             WHERE v.stream_id = behind.stream_id AND v.version > behind.after_version
               AND v.position <= read_from AND (s.event_types IS NULL OR v.event_type = ANY (s.event_types))
             ORDER BY v.version LIMIT max_count - leased + 1
        ), taken AS MATERIALIZED (
            SELECT f.position, f.version FROM found f ORDER BY f.version LIMIT max_count - leased
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
COMMENT ON FUNCTION eventcore.lease_backlog(eventcore.subscriptions, uuid, text[], integer, bigint) IS
    'Leases events of streams that are behind and not blocked, the one that waits longest first; returns how many.';

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
               EXISTS (SELECT FROM unnest(blocked) o WHERE o = p.stream_id COLLATE "C") AS is_blocked,
               EXISTS (SELECT FROM eventcore.backlogs b
                        WHERE b.subscription_id = s.id AND b.stream_id = p.stream_id) AS is_behind
          FROM page p WHERE p.stream_id IS NOT NULL
    ), free AS MATERIALIZED (
        SELECT e.position, e.stream_id, e.version FROM event e
         WHERE NOT e.is_blocked AND NOT e.is_behind ORDER BY e.position LIMIT max_count
    ), reached AS (
        -- With the lease full, what comes after its last event is left for another poll.
        SELECT CASE WHEN (SELECT count(*) FROM free f) = max_count THEN (SELECT max(f.position) FROM free f)
                    ELSE (SELECT max(p.position) FROM page p) END AS read_to
    ), listed AS (
        INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, lease_id)
        SELECT s.id, f.position, f.version, f.stream_id, lease_id FROM free f
    ), fallen_behind AS (
        INSERT INTO eventcore.backlogs (subscription_id, stream_id, after_version, next_position)
        SELECT DISTINCT ON (e.stream_id) s.id, e.stream_id, e.version - 1, e.position
          FROM event e, reached r
         WHERE e.is_blocked AND NOT e.is_behind AND e.position <= r.read_to
         ORDER BY e.stream_id, e.version
    )
    SELECT (SELECT count(*) FROM free f), EXISTS (SELECT FROM event e), r.read_to
      INTO leased, is_anything, read_to
      FROM reached r;
END
$$;
COMMENT ON FUNCTION eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer) IS
    'Reads on and leases events of streams that are not blocked and not behind; a blocked stream is behind from then on.';

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
    safe      bigint := eventcore.safe_position();
    blocked   text[];
    waiting   text[];
    due       timestamptz;
    is_alone  boolean;
    new       record;
    page_size integer := max_count;
BEGIN
    read_to := read_from;
    has_changed := eventcore.take_back_expired(s, now);
    -- Streams that are out, and those that have stopped.
    SELECT coalesce(array_agg(DISTINCT d.stream_id), '{}'), min(l.leased_until) FILTER (WHERE l.leased_until > now)
      INTO blocked, next_due
      FROM eventcore.leases l
     CROSS JOIN LATERAL (SELECT v.stream_id FROM eventcore.deliveries v WHERE v.lease_id = l.lease_id OFFSET 0) d
     WHERE l.subscription_id = s.id;
    IF s.on_parked = 'stop' THEN
        blocked := blocked || ARRAY(SELECT DISTINCT k.stream_id FROM eventcore.parked k
                                     WHERE k.subscription_id = s.id);
    END IF;
    SELECT l.leased, l.is_alone INTO leased, is_alone
      FROM eventcore.lease_again(s, now, lease_id, blocked, max_count) l;
    IF NOT is_alone THEN
        SELECT array_agg(DISTINCT d.stream_id), min(d.not_before) FILTER (WHERE d.not_before > now)
          INTO waiting, due
          FROM eventcore.deliveries d
         WHERE d.subscription_id = s.id AND d.lease_id IS NULL;
        blocked := blocked || waiting;
        next_due := least(next_due, due);
        IF leased < max_count THEN
            leased := leased + eventcore.lease_backlog(s, lease_id, blocked, max_count - leased, read_from);
        END IF;
    END IF;
    has_changed := has_changed OR leased > 0;
    is_caught_up := is_alone OR read_to >= safe;
    WHILE NOT is_caught_up AND leased < max_count LOOP
        SELECT * INTO new
          FROM eventcore.lease_new(s, lease_id, blocked, max_count - leased, read_to, page_size);
        leased := leased + new.leased;
        has_changed := has_changed OR new.is_anything;
        read_to := new.read_to;
        is_caught_up := read_to >= safe;
        -- Far behind, with a filter that lets little through, or most streams out: others have their turn, and
        -- the next attempt goes on from here.
        EXIT WHEN NOT new.is_anything OR clock_timestamp() > now + '500 ms';
        page_size := least(1000, 2 * page_size);
    END LOOP;
    is_blocked := cardinality(blocked) > 0;
END
$$;
COMMENT ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint) IS
    'One attempt to lease events, under the lock of the subscription: what came back, what is behind, what is new.';

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

REVOKE ALL ON FUNCTION eventcore.take_back_expired(eventcore.subscriptions, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_again(eventcore.subscriptions, timestamptz, uuid, text[], integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_backlog(eventcore.subscriptions, uuid, text[], integer, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_new(eventcore.subscriptions, uuid, text[], integer, bigint, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.lease_events(eventcore.subscriptions, uuid, integer, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.remove_empty_leases(eventcore.subscriptions) FROM PUBLIC;
