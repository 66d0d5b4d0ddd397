-- Parked events: set aside because they failed, or because they come after one that did.

CREATE FUNCTION eventcore.park(
    s        eventcore.subscriptions,
    failed   eventcore.deliveries,
    reason   text
)
RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    held_back bigint[];
BEGIN
    DELETE FROM eventcore.deliveries d WHERE d.subscription = s.name AND d.position = failed.position;
    INSERT INTO eventcore.parked (subscription, position, stream_id, attempts, held, consumer, reason)
    VALUES (s.name, failed.position, failed.stream_id, failed.failures + 1, false, failed.consumer, reason);
    IF s.on_parked = 'stop' THEN
        WITH later AS (
            DELETE FROM eventcore.deliveries d
             WHERE d.subscription = s.name AND d.stream_id = failed.stream_id AND d.position > failed.position
            RETURNING d.position, d.stream_id, d.failures
        ), moved AS (
            INSERT INTO eventcore.parked (subscription, position, stream_id, attempts, held)
            SELECT s.name, l.position, l.stream_id, l.failures, true FROM later l
            RETURNING parked.position
        )
        SELECT array_agg(m.position) INTO held_back FROM moved m;
    END IF;
    RETURN coalesce(held_back, '{}');
END
$$;
COMMENT ON FUNCTION eventcore.park(eventcore.subscriptions, eventcore.deliveries, text) IS
    'Sets an event aside, and the later ones of its stream too if the subscription says so: those it returns.';

CREATE FUNCTION eventcore_parked(
    subscription   text,
    after_position bigint  DEFAULT 0,
    max_count      integer DEFAULT 100
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
         WHERE k.subscription = s.name AND k.position > coalesce(after_position, 0) AND NOT k.held
         ORDER BY k.position LIMIT max_count;
END
$$;
COMMENT ON FUNCTION eventcore_parked(text, bigint, integer) IS
$$The parked events of a subscription after a position, in order, with why they are parked. Events that only
wait behind one of these are not among them. max_count: at most so many; NULL: all.
SE003 malformed argument. SE007 no such subscription.$$;

CREATE FUNCTION eventcore.unpark(s eventcore.subscriptions, positions bigint[], deliver_them boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    wanted  bigint[] := positions;
    missing bigint[];
    streams text[];
BEGIN
    IF wanted IS NULL THEN
        wanted := ARRAY(SELECT k.position FROM eventcore.parked k WHERE k.subscription = s.name AND NOT k.held);
    END IF;
    missing := ARRAY(SELECT p FROM unnest(wanted) p
                      WHERE NOT EXISTS (SELECT FROM eventcore.parked k
                                         WHERE k.subscription = s.name AND k.position = p AND NOT k.held));
    IF cardinality(missing) > 0 THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing[1]));
    END IF;
    WITH taken AS (
        DELETE FROM eventcore.parked k WHERE k.subscription = s.name AND k.position = ANY (wanted)
        RETURNING k.position, k.stream_id
    ), delivered AS (
        INSERT INTO eventcore.deliveries (subscription, position, stream_id)
        SELECT s.name, t.position, t.stream_id FROM taken t WHERE deliver_them
    )
    SELECT array_agg(DISTINCT t.stream_id) INTO streams FROM taken t;
    -- What was held back goes on, in streams where nothing else is parked.
    WITH free AS (
        DELETE FROM eventcore.parked k
         WHERE k.subscription = s.name AND k.stream_id = ANY (streams) AND k.held
           AND NOT EXISTS (SELECT FROM eventcore.parked o
                            WHERE o.subscription = s.name AND o.stream_id = k.stream_id AND NOT o.held)
        RETURNING k.position, k.stream_id
    )
    INSERT INTO eventcore.deliveries (subscription, position, stream_id)
    SELECT s.name, f.position, f.stream_id FROM free f;
    UPDATE eventcore.subscriptions t
       SET checkpoint = least(s.checkpoint, (SELECT min(d.position) FROM eventcore.deliveries d
                                              WHERE d.subscription = s.name) - 1)
     WHERE t.name = s.name;
    PERFORM eventcore.announce_work(true);
    RETURN cardinality(wanted);
END
$$;
COMMENT ON FUNCTION eventcore.unpark(eventcore.subscriptions, bigint[], boolean) IS
    'Takes parked events out, to be delivered again or not, and lets their streams go on.';

CREATE FUNCTION eventcore_replay_parked(subscription text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN eventcore.unpark(eventcore.change_subscription(subscription), positions, true);
END
$$;
COMMENT ON FUNCTION eventcore_replay_parked(text, bigint[]) IS
$$Delivers parked events again, as if for the first time; returns how many. Where their streams went on without
them, they come late. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such subscription.$$;

CREATE FUNCTION eventcore_discard_parked(subscription text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN eventcore.unpark(eventcore.change_subscription(subscription), positions, false);
END
$$;
COMMENT ON FUNCTION eventcore_discard_parked(text, bigint[]) IS
$$Gives parked events up: this subscription is done with them; returns how many. A stream that stopped for them
goes on. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such subscription.$$;

REVOKE ALL ON FUNCTION eventcore.park(eventcore.subscriptions, eventcore.deliveries, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_parked(text, bigint, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore.unpark(eventcore.subscriptions, bigint[], boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_replay_parked(text, bigint[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION eventcore_discard_parked(text, bigint[]) FROM PUBLIC;
