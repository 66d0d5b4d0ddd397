-- Parked events of projections: set aside because the handler failed, and passed to the handler again on request.

CREATE FUNCTION @extschema@.eventcore_projection_parked(
    projection     text,
    after_position bigint  DEFAULT 0,
    max_count      bigint  DEFAULT 100
)
RETURNS TABLE (
    attempts       integer,
    sqlstate       text,
    reason         text,
    parked_at      timestamptz,
    replay         boolean,
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
SET row_security = on
-- By the indexes: the statistics may come from a moment when the table was nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    p eventcore.projections := eventcore.find_projection(projection, 'projection');
BEGIN
    IF after_position < 0 THEN
        PERFORM eventcore.fail_malformed('after_position', 'is negative');
    ELSIF max_count < 0 THEN
        PERFORM eventcore.fail_malformed('max_count', 'is negative');
    END IF;
    RETURN QUERY
        SELECT k.attempts, k.sqlstate, k.reason, k.parked_at, k.replay, e.position, e.stream_id, e.version, e.event_id,
               e.event_type, e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at
          FROM eventcore.projection_parked k
         CROSS JOIN LATERAL (SELECT * FROM eventcore.events v WHERE v.position = k.position OFFSET 0) e
         WHERE k.projection = p.name AND k.position > coalesce(after_position, 0)
         ORDER BY k.position LIMIT max_count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_projection_parked(text, bigint, bigint) IS
$$The parked events of a projection after a position, in order, with the reason, and whether the worker will pass them to the
handler again. max_count: the most events to return; NULL: all.
SE003 malformed argument. SE007 no such projection.$$;

CREATE FUNCTION eventcore.change_projection_parked(projection text, positions bigint[]) RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
-- By the indexes: the statistics may come from a moment when the table was nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(projection, 'projection');
    missing bigint;
BEGIN
    PERFORM eventcore.check_projection_owner(p.name, p.owner);
    PERFORM eventcore.check_positions(positions);
    SELECT n INTO missing FROM unnest(positions) n
     WHERE NOT EXISTS (SELECT FROM eventcore.projection_parked k WHERE k.projection = p.name AND k.position = n OFFSET 0)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('positions', format('has %s, which is not parked', missing));
    END IF;
    RETURN p;
END
$$;
COMMENT ON FUNCTION eventcore.change_projection_parked(text, bigint[]) IS
    'Returns a projection and keeps workers from it until the transaction ends. SE003 unless these events are parked. SE007 no such projection. 42501 it belongs to another role.';

CREATE FUNCTION @extschema@.eventcore_replay_projection_parked(projection text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
-- By the indexes, one row at a time: the statistics may come from a moment when the table was nearly empty.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    p     eventcore.projections := eventcore.change_projection_parked(projection, positions);
    count bigint;
BEGIN
    IF positions IS NULL THEN
        positions := ARRAY(SELECT k.position FROM eventcore.projection_parked k WHERE k.projection = p.name);
    END IF;
    WITH place AS MATERIALIZED (
        SELECT v.ctid FROM unnest(positions) n
         CROSS JOIN LATERAL (
               SELECT k.ctid FROM eventcore.projection_parked k
                WHERE k.projection = p.name AND k.position = n OFFSET 0) v
    )
    UPDATE eventcore.projection_parked k SET replay = true FROM place t WHERE k.ctid = t.ctid;
    GET DIAGNOSTICS count = ROW_COUNT;
    RETURN count;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_replay_projection_parked(text, bigint[]) IS
$$Lets the worker pass parked events to the handler again, each in a transaction of its own, which also removes it from the
parked events. Returns how many. They come late: later events have been projected already. An event that fails again stays
parked, with its new error. Nothing is replayed while the projection is paused or has failed. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such projection. 42501 it belongs to another role.$$;

CREATE FUNCTION @extschema@.eventcore_discard_projection_parked(projection text, positions bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    p eventcore.projections := eventcore.change_projection_parked(projection, positions);
BEGIN
    RETURN eventcore.delete_projection_parked(p.name, positions);
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_discard_projection_parked(text, bigint[]) IS
$$Discards parked events: this projection will not see them again. Returns how many. positions: which; NULL: all.
SE003 one of them is not parked. SE007 no such projection. 42501 it belongs to another role.$$;
