-- Giving events of a lease back: to retry, to park, to skip or to release them.

CREATE FUNCTION @extschema@.eventcore_nack(
    subscription text,
    lease_id     uuid,
    positions    bigint[] DEFAULT NULL,
    action       text     DEFAULT 'retry',
    reason       text     DEFAULT NULL,
    delay        interval DEFAULT '0'
)
RETURNS TABLE ("position" bigint, outcome text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
-- The statistics may come from a moment when the tables were nearly empty. Without jit, because eventcore.subscriptions is
-- still scanned, at a cost for which the server would compile.
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    action  CONSTANT text COLLATE "C" := action;
    s       eventcore.subscriptions := eventcore.find_subscription(subscription);
    now     timestamptz := clock_timestamp();
    lease   uuid := lease_id;
    wanted  bigint[] := positions;
    missing bigint[];
    parks   bigint[] := '{}';
    failed  record;
BEGIN
    IF action IS NULL OR action NOT IN ('retry', 'park', 'skip', 'release') THEN
        PERFORM eventcore.fail_malformed('action', 'is not one of ''retry'', ''park'', ''skip'', ''release''');
    END IF;
    delay := eventcore.check_time('delay', delay, '0');
    IF delay > '0' AND action <> 'retry' THEN
        PERFORM eventcore.fail_malformed('delay', 'is only for the action ''retry''');
    END IF;
    PERFORM eventcore.hold_lease(s, lease, wanted);
    IF wanted IS NULL THEN
        wanted := ARRAY(SELECT e.position FROM eventcore.deliveries d
                         CROSS JOIN LATERAL unnest(coalesce(d.positions, ARRAY[d.position])) e (position)
                         WHERE d.lease_id = lease
                           AND NOT EXISTS (SELECT FROM eventcore.acknowledged a
                                            WHERE a.subscription_id = s.id AND a.lease_id = lease AND a.position = e.position OFFSET 0)
                         ORDER BY e.position);
    END IF;
    PERFORM FROM eventcore.deliveries d WHERE d.lease_id = lease ORDER BY d.position FOR UPDATE;
    PERFORM eventcore.lock_to_change(s.name, 'subscription');
    IF NOT EXISTS (SELECT FROM eventcore.subscriptions t WHERE t.id = s.id) THEN
        -- It was reset or dropped in the meantime.
        PERFORM eventcore.fail_lost(s.name, lease, wanted);
    END IF;
    -- Now the snapshot is newer than the locks, also in a single statement of another isolation level.
    PERFORM eventcore.unpack_lease(s, lease);
    missing := ARRAY(SELECT DISTINCT p FROM unnest(wanted) p
                      WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                                         WHERE d.lease_id = lease AND d.position = p) ORDER BY p);
    IF cardinality(missing) > 0 OR positions IS NULL AND cardinality(wanted) = 0 THEN
        PERFORM eventcore.fail_lost(s.name, lease, missing);
    END IF;

    IF action = 'skip' THEN
        RETURN QUERY DELETE FROM eventcore.deliveries d USING unnest(wanted) p
                      WHERE d.lease_id = lease AND d.position = p
                  RETURNING d.position, 'skipped';
        PERFORM eventcore.announce_work(true);
        RETURN;
    END IF;
    IF action IN ('park', 'retry') THEN
        FOR failed IN
            SELECT d.failures, array_agg(d.position) AS positions
              FROM eventcore.deliveries d JOIN unnest(wanted) p ON p = d.position
             WHERE d.lease_id = lease AND (action = 'park' OR d.failures >= s.retry_limit)
             GROUP BY d.failures
        LOOP
            parks := parks || failed.positions;
            PERFORM eventcore.park(s, failed.positions, failed.failures + 1,
                                   (SELECT l.consumer FROM eventcore.leases l
                                     WHERE l.subscription_id = s.id AND l.lease_id = lease), reason);
        END LOOP;
        RETURN QUERY SELECT p, 'parked' FROM unnest(parks) p ORDER BY p;
    END IF;
    -- The events to deliver again, and the later events of their streams.
    RETURN QUERY
        WITH held AS MATERIALIZED (
            SELECT d.position, d.stream_id, d.position IN (SELECT unnest(wanted)) AS is_named
              FROM eventcore.deliveries d WHERE d.lease_id = lease
             UNION ALL
            SELECT k.position, k.stream_id, true FROM eventcore.parked k
             WHERE k.subscription_id = s.id AND k.position IN (SELECT unnest(parks)) AND s.on_parked = 'stop'
        ), marked AS MATERIALIZED (
            SELECT h.position, h.is_named,
                   min(h.position) FILTER (WHERE h.is_named) OVER (PARTITION BY h.stream_id) AS first_position
              FROM held h
        ), given AS (
            UPDATE eventcore.deliveries d
               SET lease_id = NULL,
                   failures = d.failures + (action = 'retry' AND d.position IN (SELECT unnest(wanted)))::integer,
                   not_before = CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN now + delay ELSE d.not_before END,
                   failed_at = CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN now ELSE d.failed_at END,
                   reason = CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN eventcore_nack.reason ELSE d.reason END
             -- IS TRUE makes the planner use a hashed subplan instead of a join.
             WHERE d.lease_id = lease
               AND (d.position IN (SELECT m.position FROM marked m WHERE m.position >= m.first_position)) IS TRUE
            RETURNING d.position, d.stream_id, d.not_before, CASE WHEN action = 'retry' AND d.position IN (SELECT unnest(wanted)) THEN 'retry' ELSE 'released' END AS outcome
        ), returned AS (
            INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, returned_position, due, delayed_at)
            SELECT s.id, g.stream_id, min(g.position), max(g.not_before), CASE WHEN max(g.not_before) > now THEN now END
              FROM given g GROUP BY g.stream_id
                ON CONFLICT ON CONSTRAINT backlogs_pkey
                DO UPDATE SET returned_position = least(b.returned_position, excluded.returned_position),
                              due = greatest(b.due, excluded.due),
                              delayed_at = greatest(b.delayed_at, excluded.delayed_at)
        )
        SELECT g.position, g.outcome FROM given g ORDER BY g.position;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_nack(text, uuid, bigint[], text, text, interval) IS
$$Gives events of a lease back, and returns the outcome of each.

positions: which; NULL: all that the lease still holds.
action: 'retry', deliver it again after the delay, or park it if it has failed more often than retry_limit;
'park'; 'skip', as if acknowledged; 'release', deliver it again without counting a failure.
reason: why, for operators.
outcome: 'retry', 'parked', 'skipped', 'released'. If an event will be delivered again, or its stream stops, the later events
of the stream that the lease holds are released with it: do not handle them.
SE003 malformed argument. SE007 no such subscription. SE008 the lease does not hold them (any more). SE009 in a
REPEATABLE READ transaction block.$$;
