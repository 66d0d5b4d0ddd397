-- What a consumer does with its lease: acknowledge events, or take more time.
--
-- Acknowledging locks only the lease, in shared mode, and the rows that it deletes, so that it can be part of a long
-- transaction. The new events of a poll are one row: to acknowledge some of them it locks that row in shared mode and lists them
-- in eventcore.acknowledged. A statement that locks rows and the subscription locks the rows first.

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

CREATE FUNCTION eventcore.ack_packed(s eventcore.subscriptions, lease_id uuid, positions bigint[], keeps_snapshot boolean)
RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    wanted    bigint[];
    remaining bigint;
    taken     bigint[];
BEGIN
    SELECT array_agg(e.position) FILTER (WHERE positions IS NULL OR (e.position IN (SELECT unnest(positions))) IS TRUE),
           -- Not read in vain: in SERIALIZABLE transactions it would conflict with what others acknowledge.
           CASE WHEN NOT keeps_snapshot THEN
                count(*) - (SELECT count(*) FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id) END
      INTO wanted, remaining
      FROM eventcore.deliveries d CROSS JOIN LATERAL unnest(d.positions) e (position)
     WHERE d.lease_id = lease_id AND d.positions IS NOT NULL;
    IF wanted IS NULL THEN
        RETURN '{}';
    END IF;
    IF NOT keeps_snapshot AND remaining > 0 AND cardinality(wanted) >= remaining
       AND remaining = (SELECT count(*) FROM unnest(wanted) w
                         WHERE NOT EXISTS (SELECT FROM eventcore.acknowledged a
                                            WHERE a.subscription_id = s.id AND a.lease_id = lease_id AND a.position = w OFFSET 0)) THEN
        -- All that is left: the row goes. This waits for those that acknowledge some of it.
        DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id AND d.positions IS NOT NULL;
        IF NOT FOUND THEN
            RETURN '{}';
        END IF;
        WITH before AS (
            DELETE FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id
            RETURNING a.position
        )
        SELECT coalesce(array_agg(w), '{}') INTO taken FROM unnest(wanted) w
         WHERE (w IN (SELECT b.position FROM before b)) IS NOT TRUE;
        RETURN taken;
    END IF;
    -- A statement that gives the lease back, or acknowledges all of it, waits for this transaction.
    PERFORM FROM eventcore.deliveries d
      WHERE d.lease_id = lease_id AND d.positions IS NOT NULL
      ORDER BY d.position FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    WITH new AS (
        INSERT INTO eventcore.acknowledged (subscription_id, lease_id, position)
        SELECT s.id, lease_id, w FROM unnest(wanted) w
            ON CONFLICT ON CONSTRAINT acknowledged_pkey DO NOTHING
        RETURNING position
    )
    SELECT coalesce(array_agg(n.position), '{}') INTO taken FROM new n;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION eventcore.ack_packed(eventcore.subscriptions, uuid, bigint[], boolean) IS
    'Acknowledges those of the positions (NULL: all) that the lease holds in rows of several events, and returns them. keeps_snapshot: a snapshot of the transaction may be older than acknowledgements of others, which only an entry at the same place reveals.';

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
    keeps_snapshot CONSTANT boolean := current_setting('transaction_isolation') IN ('repeatable read', 'serializable');
    was_packed boolean;
    taken   bigint[];
    missing bigint[];
    done    bigint;
    acknowledged bigint := 0;
BEGIN
    PERFORM eventcore.hold_lease(s, lease_id, positions);
    IF positions IS NULL AND NOT keeps_snapshot THEN
        WITH gone AS (
            DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id RETURNING d.positions
        )
        SELECT coalesce(sum(coalesce(cardinality(g.positions), 1)), 0), bool_or(g.positions IS NOT NULL)
          INTO acknowledged, was_packed FROM gone g;
        IF was_packed THEN
            -- In a statement of its own: the one before may have waited for those that acknowledged these.
            DELETE FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = lease_id;
            GET DIAGNOSTICS done = ROW_COUNT;
            acknowledged := acknowledged - done;
        ELSE
            -- Its new events may have become rows while the statement before waited.
            DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id;
            GET DIAGNOSTICS done = ROW_COUNT;
            acknowledged := acknowledged + done;
        END IF;
        IF acknowledged = 0 THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
        END IF;
    ELSIF positions IS NULL THEN
        DELETE FROM eventcore.deliveries d WHERE d.lease_id = lease_id AND d.positions IS NULL;
        GET DIAGNOSTICS done = ROW_COUNT;
        acknowledged := done + cardinality(eventcore.ack_packed(s, lease_id, NULL, keeps_snapshot));
        IF acknowledged = 0 THEN
            PERFORM eventcore.fail_lost(s.name, lease_id, NULL);
        END IF;
    ELSE
        missing := positions;
        FOR attempt IN 1 .. 2 LOOP
            -- Events that came back before new ones: in the order in which statements lock all rows of a lease.
            WITH gone AS (
                DELETE FROM eventcore.deliveries d USING unnest(missing) p
                 WHERE d.lease_id = lease_id AND d.position = p AND d.positions IS NULL
                RETURNING d.position
            )
            SELECT array_agg(DISTINCT p ORDER BY p) FILTER (WHERE (p IN (SELECT a.position FROM gone a)) IS NOT TRUE),
                   (SELECT count(*) FROM gone)
              INTO missing, done FROM unnest(missing) p;
            acknowledged := acknowledged + done;
            EXIT WHEN missing IS NULL OR attempt = 2;
            taken := eventcore.ack_packed(s, lease_id, missing, keeps_snapshot);
            acknowledged := acknowledged + cardinality(taken);
            IF cardinality(taken) = cardinality(missing) THEN
                missing := NULL;
                EXIT;
            END IF;
            -- New events may have become rows while the call waited.
            missing := ARRAY(SELECT p FROM unnest(missing) p WHERE (p IN (SELECT unnest(taken))) IS NOT TRUE);
        END LOOP;
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
       AND EXISTS (SELECT FROM eventcore.deliveries d
                    WHERE d.lease_id = lease_id AND (d.positions IS NULL OR cardinality(d.positions) > (
                          SELECT count(*) FROM eventcore.acknowledged a
                           WHERE a.subscription_id = s.id AND a.lease_id = lease_id
                             AND a.position BETWEEN d.position AND d.positions[cardinality(d.positions)])));
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
