-- What a consumer does with its lease: acknowledge events, or take more time.
--
-- Acknowledging locks only the lease, in shared mode, and the rows that it deletes, so that it can be part of a long
-- transaction. A statement that locks rows and the subscription locks the rows first.

CREATE FUNCTION eventcore.hold_lease(s eventcore.subscriptions, lease_id uuid, positions bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    place integer;
    safe  bigint;
BEGIN
    IF lease_id IS NULL THEN
        PERFORM eventcore.fail_malformed('lease_id', 'is NULL');
    END IF;
    IF positions IS NOT NULL THEN
        PERFORM eventcore.check_positions(positions);
        safe := eventcore.safe_position();
        FOR place IN 1 .. cardinality(positions) LOOP
            IF positions[array_lower(positions, 1) + place - 1] NOT BETWEEN 1 AND safe THEN
                PERFORM eventcore.fail_malformed('positions', 'has not been delivered', place - 1);
            END IF;
        END LOOP;
    END IF;
    PERFORM FROM eventcore.leases l
      WHERE l.subscription_id = s.id AND l.lease_id = lease_id
        FOR KEY SHARE;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_lost(s.name, lease_id, positions);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.hold_lease(eventcore.subscriptions, uuid, bigint[]) IS
    'Keeps polls from taking a lease back until the transaction ends. SE008 no such lease.';

CREATE FUNCTION @extschema@.eventcore_ack(subscription text, lease_id uuid, positions bigint[] DEFAULT NULL) RETURNS bigint
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
$$Acknowledges events of a lease: they have been handled. Called in the transaction that writes their effects, it makes each
event take effect exactly once. Returns how many.

positions: which; NULL: all that the lease still holds.
SE003 malformed argument, or a position that was never delivered. SE007 no such subscription. SE008 the lease does not
hold them (any more): nothing is acknowledged. An expired lease is valid until a poll takes it back.$$;

CREATE FUNCTION @extschema@.eventcore_extend_lease(subscription text, lease_id uuid) RETURNS timestamptz
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
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
    -- If this rolls back, polls may have skipped a lease that expired in the meantime.
    PERFORM eventcore.announce_work(false);
    RETURN until;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_extend_lease(text, uuid) IS
$$Renews a lease for the events that it still holds; returns when it will expire.
SE007 no such subscription. SE008 the lease holds no events (any more).$$;
