-- What a consumer does with the events of its lease: acknowledge them, give them back, take more time.
--
-- Acknowledging takes no lock but on the rows that it deletes, so that it may stand in a long transaction.

CREATE FUNCTION eventcore.fail_lost(s eventcore.subscriptions, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    place integer;
BEGIN
    FOR place IN 1 .. coalesce(cardinality(positions), 0) LOOP
        IF positions[place] > s.read_position OR positions[place] < 1 THEN
            PERFORM eventcore.fail('SE003',
                format('positions[%s] has not been delivered: %s', place - 1, positions[place]),
                jsonb_build_object('argument', 'positions', 'index', place - 1, 'reason', 'has not been delivered'),
                'Acknowledge the positions that eventcore_poll returned.');
        END IF;
    END LOOP;
    PERFORM eventcore.fail('SE008',
        CASE WHEN cardinality(positions) > 0
             THEN format('lease %s of subscription "%s" does not hold position %s', lease_id, s.name,
                         array_to_string(positions, ', '))
             ELSE format('lease %s of subscription "%s" holds nothing', lease_id, s.name)
        END,
        jsonb_build_object('subscription', s.name, 'lease_id', lease_id, 'positions', coalesce(positions, '{}')),
        'They are acknowledged already, were given back, or have gone to another consumer since the lease ran out: '
        'undo what was done for them in this transaction and poll again.');
END
$$;
COMMENT ON FUNCTION eventcore.fail_lost(eventcore.subscriptions, uuid, bigint[]) IS
    'Raises SE008 for positions that a lease does not hold, or SE003 for one that no lease can have held.';

CREATE FUNCTION eventcore_ack(subscription text, lease_id uuid, positions bigint[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    s       eventcore.subscriptions := eventcore.find_subscription(subscription);
    missing bigint[];
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    ELSIF array_position(positions, NULL) IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'has a NULL');
    ELSIF positions IS NULL THEN
        DELETE FROM eventcore.deliveries d
         WHERE d.subscription = s.name AND d.position > s.checkpoint AND d.lease_id = lease_id;
        IF NOT FOUND THEN
            PERFORM eventcore.fail_lost(s, lease_id, NULL);
        END IF;
    ELSE
        WITH acknowledged AS (
            DELETE FROM eventcore.deliveries d
             WHERE d.subscription = s.name AND d.position = ANY (positions) AND d.lease_id = lease_id
            RETURNING d.position
        )
        SELECT array_agg(DISTINCT p ORDER BY p) INTO missing FROM unnest(positions) p
         WHERE p NOT IN (SELECT a.position FROM acknowledged a);
        IF missing IS NOT NULL THEN
            PERFORM eventcore.fail_lost(s, lease_id, missing);
        END IF;
    END IF;
    PERFORM eventcore.announce_work(false);
END
$$;
COMMENT ON FUNCTION eventcore_ack(text, uuid, bigint[]) IS
$$Acknowledges events of a lease: they are done with. In the transaction that writes what the consumer made
of them, each event takes effect exactly once.

positions: which; NULL: all that the lease still holds.
SE003 a position that was never handed out. SE007 no such subscription. SE008 the lease does not hold them
(any more): nothing is acknowledged. A lease that ran out still counts until a poll gives its events to somebody.$$;

CREATE FUNCTION eventcore_nack(
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
    s         eventcore.subscriptions := eventcore.change_subscription(subscription);
    now       timestamptz := clock_timestamp();
    lease     uuid := lease_id;
    wanted    bigint[] := positions;
    missing   bigint[];
    also_back bigint[];
    given     eventcore.deliveries;
BEGIN
    IF lease IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    ELSIF array_position(wanted, NULL) IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'has a NULL');
    ELSIF action IS NULL OR action NOT IN ('retry', 'park', 'skip', 'release') THEN
        PERFORM eventcore.fail_malformed('action', 'is not one of ''retry'', ''park'', ''skip'', ''release''');
    ELSIF delay IS NULL OR delay < '0' THEN
        PERFORM eventcore.fail_malformed('delay', 'is not a time, from 0');
    ELSIF delay > '0' AND action <> 'retry' THEN
        PERFORM eventcore.fail_malformed('delay', 'is only for the action ''retry''');
    END IF;
    IF wanted IS NULL THEN
        wanted := ARRAY(SELECT d.position FROM eventcore.deliveries d
                         WHERE d.subscription = s.name AND d.position > s.checkpoint AND d.lease_id = lease);
    END IF;
    PERFORM FROM eventcore.deliveries d
      WHERE d.subscription = s.name AND d.position = ANY (wanted) AND d.lease_id = lease
        FOR UPDATE;
    missing := ARRAY(SELECT DISTINCT p FROM unnest(wanted) p
                      WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                                         WHERE d.subscription = s.name AND d.position = p AND d.lease_id = lease)
                      ORDER BY p);
    IF cardinality(missing) > 0 OR positions IS NULL AND cardinality(wanted) = 0 THEN
        PERFORM eventcore.fail_lost(s, lease, missing);
    END IF;

    FOR given IN
        SELECT d.* FROM eventcore.deliveries d
         WHERE d.subscription = s.name AND d.position = ANY (wanted) AND d.lease_id = lease
         ORDER BY d.position
    LOOP
        "position" := given.position;
        also_back := '{}';
        IF NOT EXISTS (SELECT FROM eventcore.deliveries d WHERE d.subscription = s.name AND d.position = given.position) THEN
            -- Held back already, with an earlier event of its stream that was parked.
            CONTINUE;
        ELSIF action = 'skip' THEN
            DELETE FROM eventcore.deliveries d WHERE d.subscription = s.name AND d.position = given.position;
            outcome := 'skipped';
        ELSIF action = 'park' OR action = 'retry' AND given.failures >= s.retry_limit THEN
            also_back := eventcore.park(s, given, reason);
            outcome := 'parked';
        ELSE
            UPDATE eventcore.deliveries d
               SET lease_id = NULL, leased_until = NULL,
                   failures = d.failures + (action = 'retry')::integer,
                   not_before = CASE WHEN action = 'retry' THEN now + delay ELSE d.not_before END,
                   failed_at = CASE WHEN action = 'retry' THEN now ELSE d.failed_at END,
                   reason = CASE WHEN action = 'retry' THEN eventcore_nack.reason ELSE d.reason END
             WHERE d.subscription = s.name AND d.position = given.position;
            outcome := CASE action WHEN 'retry' THEN 'retry' ELSE 'released' END;
            WITH later AS (
                UPDATE eventcore.deliveries d SET lease_id = NULL, leased_until = NULL
                 WHERE d.subscription = s.name AND d.position > given.position AND d.lease_id = lease
                   AND d.stream_id = given.stream_id AND d.position <> ALL (wanted)
                RETURNING d.position
            )
            SELECT coalesce(array_agg(l.position ORDER BY l.position), '{}') INTO also_back FROM later l;
        END IF;
        RETURN NEXT;
        outcome := 'released';
        FOREACH "position" IN ARRAY also_back LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
    PERFORM eventcore.announce_work(true);
END
$$;
COMMENT ON FUNCTION eventcore_nack(text, uuid, bigint[], text, text, interval) IS
$$Gives events of a lease back, and says what becomes of each.

positions: which; NULL: all that the lease still holds.
action: 'retry', deliver it again after the delay, or park it when it has failed more often than retry_limit;
'park'; 'skip', as if acknowledged; 'release', deliver it again and count no failure.
reason: why, for whoever looks.
outcome: 'retry', 'parked', 'skipped', 'released'. When an event is to come again, or its stream stops, the
later ones of its stream that the lease holds are released with it: leave them alone.
SE003 malformed argument. SE007 no such subscription. SE008 the lease does not hold them (any more).$$;

CREATE FUNCTION eventcore_extend_lease(subscription text, lease_id uuid) RETURNS timestamptz
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
    UPDATE eventcore.deliveries d SET leased_until = until
     WHERE d.subscription = s.name AND d.position > s.checkpoint AND d.lease_id = lease_id;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s, lease_id, NULL);
    END IF;
    RETURN until;
END
$$;
COMMENT ON FUNCTION eventcore_extend_lease(text, uuid) IS
$$Begins the time of a lease anew, for what it still holds; returns when it runs out.
SE007 no such subscription. SE008 the lease holds nothing (any more).$$;

REVOKE ALL ON FUNCTION eventcore.fail_lost(eventcore.subscriptions, uuid, bigint[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_ack(text, uuid, bigint[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_nack(text, uuid, bigint[], text, text, interval) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_extend_lease(text, uuid) FROM PUBLIC;
