-- What a consumer does with its lease: acknowledge events, or take more time.
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
