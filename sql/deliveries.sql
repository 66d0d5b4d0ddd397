-- What a consumer does with the events of its lease: acknowledge them, give them back, take more time.
--
-- Acknowledging takes no lock but on the lease, shared, and on the rows that it deletes, so that it may stand in a
-- long transaction. Whoever wants rows and the subscription takes the rows first.

CREATE FUNCTION eventcore.hold_lease(s eventcore.subscriptions, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    place integer;
    safe  bigint := eventcore.safe_position();
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    END IF;
    PERFORM eventcore.check_positions(positions);
    FOR place IN 1 .. coalesce(cardinality(positions), 0) LOOP
        IF positions[array_lower(positions, 1) + place - 1] NOT BETWEEN 1 AND safe THEN
            PERFORM eventcore.fail_malformed('positions', 'has not been delivered', place - 1);
        END IF;
    END LOOP;
    PERFORM FROM eventcore.leases l
      WHERE l.subscription_id = s.id AND l.lease_id = lease_id
        FOR KEY SHARE;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, positions);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.hold_lease(eventcore.subscriptions, uuid, bigint[]) IS
    'Keeps a lease from being taken back until the transaction ends; SE008 if there is none.';

CREATE FUNCTION @extschema@.eventcore_ack(subscription text, lease_id uuid, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.find_subscription(subscription);
    missing bigint[];
    acknowledged bigint;
BEGIN
    PERFORM eventcore.hold_lease(s, lease_id, positions);
    IF positions IS NULL THEN
        DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id;
        GET DIAGNOSTICS acknowledged = ROW_COUNT;
        IF acknowledged = 0 THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
        END IF;
    ELSE
        WITH done AS (
            DELETE FROM eventcore.deliveries d USING unnest(positions) p
             WHERE d.lease_id = lease_id AND d.position = p
            RETURNING d.position
        )
        SELECT array_agg(DISTINCT p ORDER BY p) FILTER (WHERE NOT EXISTS (SELECT FROM done a WHERE a.position = p)),
               (SELECT count(*) FROM done)
          INTO missing, acknowledged FROM unnest(positions) p;
        IF missing IS NOT NULL THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, missing);
        END IF;
    END IF;
    PERFORM eventcore.announce_work(false);
    RETURN acknowledged;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_ack(text, uuid, bigint[]) IS
$$Acknowledges events of a lease: they are done with. In the transaction that writes what the consumer made
of them, each event takes effect exactly once. Returns how many.

positions: which; NULL: all that the lease still holds.
SE003 malformed argument, or a position that was never handed out. SE007 no such subscription. SE008 the lease
does not hold them (any more): nothing is acknowledged. A lease that has run out counts until a poll takes it back.$$;

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
        wanted := ARRAY(SELECT d.position FROM eventcore.deliveries d WHERE d.lease_id = lease ORDER BY d.position);
    END IF;
    PERFORM FROM eventcore.deliveries d WHERE d.lease_id = lease ORDER BY d.position FOR UPDATE;
    missing := ARRAY(SELECT DISTINCT p FROM unnest(wanted) p
                      WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                                         WHERE d.lease_id = lease AND d.position = p) ORDER BY p);
    IF cardinality(missing) > 0 OR positions IS NULL AND cardinality(wanted) = 0 THEN
        PERFORM eventcore.fail_lost(s.name, lease, missing);
    END IF;
    PERFORM eventcore.lock_to_change(s.name, 'subscription');
    IF NOT EXISTS (SELECT FROM eventcore.subscriptions t WHERE t.id = s.id) THEN
        -- Reset or dropped in between.
        PERFORM eventcore.fail_lost(s.name, lease, wanted);
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
    -- What comes again, and what is behind it in its stream.
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
             -- IS TRUE: looked up in a hash, never joined.
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
$$Gives events of a lease back, and says what becomes of each.

positions: which; NULL: all that the lease still holds.
action: 'retry', deliver it again after the delay, or park it when it has failed more often than retry_limit;
'park'; 'skip', as if acknowledged; 'release', deliver it again and count no failure.
reason: why, for operators.
outcome: 'retry', 'parked', 'skipped', 'released'. When an event is to come again, or its stream stops, the
later ones of its stream that the lease holds are released with it: leave them alone.
SE003 malformed argument. SE007 no such subscription. SE008 the lease does not hold them (any more). SE009 in a
REPEATABLE READ transaction block.$$;

CREATE FUNCTION @extschema@.eventcore_extend_lease(subscription text, lease_id uuid) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s     eventcore.subscriptions := eventcore.find_subscription(subscription);
    until timestamptz := clock_timestamp() + s.lease;
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    END IF;
    UPDATE eventcore.leases l SET leased_until = until
     WHERE l.subscription_id = s.id AND l.lease_id = lease_id
       AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = lease_id);
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
    END IF;
    -- Should this be rolled back, polls have passed over a lease that has run out meanwhile.
    PERFORM eventcore.announce_work(false);
    RETURN until;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_extend_lease(text, uuid) IS
$$Renews a lease for the events that it still holds; returns when it runs out.
SE007 no such subscription. SE008 the lease holds nothing (any more).$$;
