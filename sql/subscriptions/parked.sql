-- Parked events: set aside because they failed. With on_parked = 'stop' no event of their streams is delivered until they are
-- replayed or discarded.

CREATE FUNCTION eventcore.park(
    s         eventcore.subscriptions,
    positions bigint[],
    attempts  integer,
    consumer  text,
    reason    text
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    streams text[];
BEGIN
    WITH failed AS (
        DELETE FROM eventcore.deliveries d USING unnest(positions) p
         WHERE d.subscription_id = s.id AND d.position = p
        RETURNING d.position, d.version, d.stream_id
    ), listed AS (
        INSERT INTO eventcore.parked (subscription_id, position, version, stream_id, attempts, consumer, reason)
        SELECT s.id, f.position, f.version, f.stream_id, attempts, consumer, reason FROM failed f
    )
    SELECT array_agg(f.stream_id) INTO streams FROM failed f;
    IF s.on_parked = 'stop' THEN
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, due)
        SELECT DISTINCT s.id, t COLLATE "C", timestamptz 'infinity' FROM unnest(streams) t
            ON CONFLICT ON CONSTRAINT backlogs_pkey DO UPDATE SET due = excluded.due;
    END IF;
    PERFORM eventcore.refresh_backlogs(s, streams, false);
END
$$;
COMMENT ON FUNCTION eventcore.park(eventcore.subscriptions, bigint[], integer, text, text) IS
    'Parks events of a subscription.';

CREATE FUNCTION @extschema@.eventcore_park(subscription text, positions bigint[], reason text DEFAULT NULL) RETURNS bigint
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
    s       eventcore.subscriptions := eventcore.change_subscription(subscription);
    other   bigint;
    held    record;
    given   record;
    count   bigint := 0;
    streams text[];
BEGIN
    IF positions IS NULL THEN
        PERFORM eventcore.fail_malformed('positions', 'is NULL');
    END IF;
    PERFORM eventcore.check_positions(positions);
    -- The events of a consumer that has died are its own until a poll takes them back, and none may come.
    PERFORM eventcore.take_back_expired(s, clock_timestamp());
    -- Only an event that waits to be delivered again: one that was never delivered would come with the next poll, and one that a
    -- consumer has may take effect at this moment.
    SELECT min(w.position) INTO other
      FROM unnest(positions) w (position)
     WHERE NOT EXISTS (SELECT FROM eventcore.deliveries d
                        WHERE d.subscription_id = s.id AND d.position = w.position AND d.lease_id IS NULL OFFSET 0)
       AND NOT EXISTS (SELECT FROM eventcore.parked k WHERE k.subscription_id = s.id AND k.position = w.position OFFSET 0);
    IF other IS NOT NULL THEN
        SELECT l.consumer, l.leased_until INTO held
          FROM eventcore.leases l
         CROSS JOIN LATERAL (SELECT unnest(coalesce(d.positions, ARRAY[d.position])) AS position
                               FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id OFFSET 0) e
         WHERE l.subscription_id = s.id AND e.position = other
           AND NOT EXISTS (SELECT FROM eventcore.acknowledged a
                            WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = other OFFSET 0);
        PERFORM eventcore.fail_malformed('positions',
            CASE WHEN held.consumer IS NULL THEN format('has %s, which does not wait to be delivered again', other)
                 ELSE format('has %s, which consumer "%s" has leased until %s', other, held.consumer, held.leased_until) END);
    END IF;
    streams := ARRAY(SELECT DISTINCT d.stream_id FROM unnest(positions) w (position)
                       JOIN eventcore.deliveries d ON d.subscription_id = s.id AND d.position = w.position);
    FOR given IN
        SELECT greatest(d.failures, d.expiries, 1) AS attempts, d.consumer, array_agg(d.position) AS positions
          FROM (SELECT DISTINCT unnest(positions)) w (position)
          JOIN eventcore.deliveries d ON d.subscription_id = s.id AND d.position = w.position
         GROUP BY 1, 2
    LOOP
        PERFORM eventcore.park(s, given.positions, given.attempts, given.consumer,
                               coalesce(reason, format('set aside by %s', session_user)));
        count := count + cardinality(given.positions);
    END LOOP;
    -- A delay was that of an event that is parked now. The later events of a stream that goes on do not wait for its end.
    UPDATE eventcore.backlogs b
       SET (due, delayed_at) = (
               SELECT coalesce(max(d.not_before), '-infinity'), max(d.failed_at) FILTER (WHERE d.not_before > d.failed_at)
                 FROM eventcore.deliveries d
                WHERE d.subscription_id = s.id AND d.stream_id = b.stream_id AND d.lease_id IS NULL
                  AND d.failed_at <= clock_timestamp())
      FROM unnest(streams) t (stream_id)
     WHERE b.subscription_id = s.id AND b.stream_id = t.stream_id COLLATE "C" AND b.due < 'infinity';
    PERFORM eventcore.announce_work(true);
    RETURN count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_park(text, bigint[], text) IS
$$Sets aside events that wait to be delivered again, without a lease: for a person, while the consumer that fails on them is
dead or the subscription is paused. Returns how many; events that are parked already stay so. eventcore_replay_parked delivers
them again. What is due of expired leases is taken back first, as a poll does.

positions: which. reason: why, for operators; NULL: who did it.
SE003 one of them was never delivered, is done, or is leased: pause the subscription and wait for the end of the lease.
SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_parked(
    subscription   text,
    after_position bigint  DEFAULT 0,
    max_count      bigint  DEFAULT 100
)
RETURNS TABLE (
    attempts       integer,
    reason         text,
    parked_at      timestamptz,
    consumer       text,
    "position"     bigint,
    stream_id      text,
    version        bigint,
    event_id       uuid,
    event_type     text,
    payload        jsonb,
    metadata       jsonb,
    correlation_id uuid,
    causation_id   uuid,
    recorded_at    timestamptz
)
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
-- By the index of the positions, however many are parked.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    s eventcore.subscriptions := eventcore.find_subscription(subscription);
BEGIN
    IF after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is negative');
    ELSIF max_count < 0 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is negative');
    END IF;
    RETURN QUERY
        SELECT k.attempts, k.reason, k.parked_at, k.consumer, e.position, e.stream_id, e.version, e.event_id,
               e.event_type, e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
          FROM eventcore.parked k
         CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = k.position OFFSET 0) e
         WHERE k.subscription_id = s.id AND k.position > coalesce(after_position, 0)
         ORDER BY k.position LIMIT max_count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_parked(text, bigint, bigint) IS
$$The parked events of a subscription after a position, in order, with the reason. max_count: the most events to return; NULL: all.
SE003 malformed argument. SE007 no such subscription.$$;

CREATE FUNCTION eventcore.unpark(wanted_subscription text, positions bigint[], deliver_them boolean) RETURNS bigint
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
    s       eventcore.subscriptions := eventcore.change_subscription(wanted_subscription);
    missing bigint;
    count   bigint;
    streams text[];
BEGIN
    PERFORM eventcore.check_positions(positions);
    IF positions IS NULL THEN
        positions := ARRAY(SELECT k.position FROM eventcore.parked k WHERE k.subscription_id = s.id);
    END IF;
    SELECT min(p) INTO missing FROM unnest(positions) p
     WHERE NOT EXISTS (SELECT FROM eventcore.parked k WHERE k.subscription_id = s.id AND k.position = p OFFSET 0);
    IF missing IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing));
    END IF;
    WITH place AS MATERIALIZED (
        SELECT v.ctid FROM unnest(positions) p
         CROSS JOIN LATERAL (
               SELECT k.ctid FROM eventcore.parked k
                WHERE k.subscription_id = s.id AND k.position = p OFFSET 0) v
    ), taken AS (
        DELETE FROM eventcore.parked k USING place p WHERE k.ctid = p.ctid
        RETURNING k.position, k.version, k.stream_id
    ), delivered AS (
        INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id)
        SELECT s.id, t.position, t.version, t.stream_id FROM taken t WHERE deliver_them
    ), returned AS (
        INSERT INTO eventcore.backlogs AS b (subscription_id, stream_id, returned_position)
        SELECT s.id, t.stream_id, min(t.position) FROM taken t WHERE deliver_them GROUP BY t.stream_id
            ON CONFLICT ON CONSTRAINT backlogs_pkey
            DO UPDATE SET returned_position = least(b.returned_position, excluded.returned_position)
    )
    SELECT count(*), array_agg(t.stream_id) INTO count, streams FROM taken t;
    IF s.on_parked = 'stop' THEN
        PERFORM eventcore.refresh_backlogs(s, streams, true);
    END IF;
    PERFORM eventcore.announce_work(true);
    RETURN count;
END
$$;
COMMENT ON FUNCTION eventcore.unpark(text, bigint[], boolean) IS
    'Ends the parking of events, and with deliver_them delivers them again. A stopped stream continues once none of its events is parked.';

CREATE FUNCTION @extschema@.eventcore_replay_parked(subscription text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN eventcore.unpark(subscription, positions, true);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_replay_parked(text, bigint[]) IS
$$Delivers parked events again, as if for the first time; returns how many. If their streams continued without them, they come
late. A stopped stream continues once none of its events is parked. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such subscription.$$;

CREATE FUNCTION @extschema@.eventcore_discard_parked(subscription text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN eventcore.unpark(subscription, positions, false);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_discard_parked(text, bigint[]) IS
$$Discards parked events: this subscription will not deliver them again. Returns how many. A stream that stopped for them
continues. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such subscription.$$;
