-- A step of a poll: events that came back. Takes back expired leases, and leases events that wait to be delivered again.

CREATE FUNCTION eventcore.take_back_expired(s eventcore.subscriptions, now timestamptz) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    packed uuid;
    back eventcore.deliveries;
    has_changed boolean := false;
BEGIN
    FOR packed IN
        -- As below. Its events become rows in statements whose snapshot is newer than the lock.
        SELECT l.lease_id FROM eventcore.leases l
         WHERE l.subscription_id = s.id
           AND (l.leased_until <= now OR l.leased_until > now + 2 * s.lease)
           AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id AND d.positions IS NOT NULL OFFSET 0)
           FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM eventcore.unpack_lease(s, packed);
    END LOOP;
    FOR back IN
        WITH expired AS MATERIALIZED (
            -- A consumer that is acknowledging has locked its lease: such a lease is skipped.
            SELECT l.lease_id, l.consumer FROM eventcore.leases l
             WHERE l.subscription_id = s.id
               -- Later than any lease can expire: the clock was set back.
               AND (l.leased_until <= now OR l.leased_until > now + 2 * s.lease)
               AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id OFFSET 0)
               -- Such a lease was locked a moment ago.
               AND NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id AND d.positions IS NOT NULL OFFSET 0)
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
    'Takes back expired leases, each as a whole. It counts as a failure only for an event that was alone in its lease: among several, the cause is unknown.';

CREATE FUNCTION eventcore.refresh_backlogs(s eventcore.subscriptions, streams text[], parked_changed boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- By their indexes, one row at a time: the statistics may come from a moment when the tables were nearly empty.
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
                          WHEN s.on_parked = 'stop' AND EXISTS (
                               -- Equality in a form for which only the index of the streams can be used.
                               SELECT FROM eventcore.parked k
                                WHERE (k.stream_id, k.subscription_id) >= (b.stream_id, s.id)
                                  AND (k.stream_id, k.subscription_id) <= (b.stream_id, s.id) OFFSET 0) THEN 'infinity'
                          WHEN b.due < 'infinity' THEN b.due
                          -- The stream was stopped.
                          ELSE coalesce((
                               SELECT max(d.not_before) FILTER (WHERE d.failed_at <= clock_timestamp())
                                 FROM eventcore.deliveries d
                                WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id
                                  AND d.lease_id IS NULL), '-infinity') END
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
    'Updates the backlogs of these streams after their returned or parked events have changed: which event waits, and when it is due.';

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
    'Leases events that came back, of streams that are due and not leased, in order. is_first: the lease is empty. is_alone: no event may be added to it.';
