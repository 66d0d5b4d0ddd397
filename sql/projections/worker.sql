-- What a worker records: progress, failures, and what became of parked events.

CREATE FUNCTION eventcore.projection_advanced(wanted text, to_position bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    UPDATE eventcore.projections p
       SET checkpoint = to_position, attempts = 0, interruptions = 0, reset_pending = false
     WHERE p.name = wanted COLLATE "C";
END
$$;
COMMENT ON FUNCTION eventcore.projection_advanced(text, bigint) IS
    'A worker has done everything up to this position, in this transaction.';

CREATE FUNCTION eventcore.is_blameless(error_code text) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    -- 40002 is a constraint, 53400 a limit that is configured: the same event meets them again.
    SELECT ("left"(error_code, 2) COLLATE "C" IN ('08', '40', '53', '58') AND error_code COLLATE "C" NOT IN ('40002', '53400'))
        OR error_code COLLATE "C" IN ('25006', '55P03');
END;
COMMENT ON FUNCTION eventcore.is_blameless(text) IS
    'Whether no event is to blame for an error: lost in a quarrel with other transactions, or for want of a resource.';

CREATE FUNCTION eventcore.lock_projection_soon(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200 ms'
AS $$
BEGIN
    PERFORM eventcore.lock_projection(name);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION eventcore.lock_projection_soon(text) IS
    'The same as eventcore.lock_projection, for at most 200 ms; false if another session still holds it.';

CREATE FUNCTION eventcore.retry_time(failures integer) RETURNS timestamptz
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT pg_catalog.clock_timestamp()
         + least(interval '60 s', interval '100 ms' * pg_catalog.power(2, least(failures, 20) - 1));
END;
COMMENT ON FUNCTION eventcore.retry_time(integer) IS 'When to try again after this many failures in a row.';

CREATE FUNCTION eventcore.projection_failed(
    wanted        text,
    at_checkpoint bigint,
    first_position bigint,
    last_position bigint,
    error_code    text,
    reason        text,
    no_blame      boolean DEFAULT NULL,
    process_ended boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    wanted     CONSTANT text COLLATE "C" := wanted;
    error_code CONSTANT text COLLATE "C" := error_code;
    p          eventcore.projections;
    blameless  CONSTANT boolean := coalesce(no_blame, eventcore.is_blameless(error_code));
    one_event  CONSTANT boolean := first_position IS NOT NULL AND first_position = last_position;
    failures    integer;
    interrupted integer;
BEGIN
    IF NOT eventcore.lock_projection_soon(wanted) THEN
        -- Whoever has it is changing the projection, which is tried again after that.
        RETURN;
    END IF;
    SELECT * INTO p FROM eventcore.projections v WHERE v.name = wanted;
    -- It was dropped, paused or set back meanwhile.
    IF NOT FOUND OR p.status <> 'running' OR p.checkpoint <> at_checkpoint THEN
        RETURN;
    END IF;
    failures := p.attempts + CASE WHEN blameless THEN 0 ELSE 1 END;
    interrupted := p.interruptions + CASE WHEN blameless THEN 1 ELSE 0 END;
    UPDATE eventcore.projections v
       SET last_error = reason, last_sqlstate = error_code, last_error_at = clock_timestamp(),
           last_error_position = CASE WHEN one_event THEN first_position END
     WHERE v.name = wanted;
    IF error_code = 'SE011' AND first_position IS NULL THEN
        -- Its checkpoint is of another history, and stays so.
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSIF p.rebuilds IS NOT NULL AND (error_code IN ('SE003', 'SE009') OR error_code LIKE '42%') THEN
        -- The handler does not go with a shadow, finds something not there or may not use it: no event is to blame, it will not
        -- be better next time, and with all events skipped an empty table would take the place of a full one.
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSIF blameless THEN
        UPDATE eventcore.projections v
           SET interruptions = least(interrupted, 1000000000), retry_at = eventcore.retry_time(interrupted)
         WHERE v.name = wanted;
    ELSIF first_position < last_position THEN
        UPDATE eventcore.projections v SET singly_until = last_position WHERE v.name = wanted;
    ELSIF failures <= p.retry_limit THEN
        UPDATE eventcore.projections v
           SET attempts = failures, retry_at = eventcore.retry_time(failures)
         WHERE v.name = wanted;
    ELSIF p.on_error = 'stop' OR NOT one_event
       -- A table that lacks what the original had must not take its place.
       OR p.rebuilds IS NOT NULL AND NOT EXISTS (
            SELECT FROM eventcore.projection_parked k WHERE k.projection = p.rebuilds AND k.position = first_position) THEN
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSE
        IF p.on_error = 'park' THEN
            INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason)
            VALUES (wanted, first_position, failures, error_code, projection_failed.reason)
            ON CONFLICT ON CONSTRAINT projection_parked_pkey DO NOTHING;
        END IF;
        UPDATE eventcore.projections v
           SET checkpoint = first_position, attempts = 0,
               skipped = skipped + CASE p.on_error WHEN 'skip' THEN 1 ELSE 0 END
         WHERE v.name = wanted;
    END IF;
    IF process_ended THEN
        -- Whoever is to blame: the next ones come one by one, and not before others had a chance to look at the server.
        UPDATE eventcore.projections v
           SET singly_until = greatest(v.singly_until, last_position),
               retry_at = greatest(v.retry_at, clock_timestamp() + interval '1 s')
         WHERE v.name = wanted AND v.status = 'running';
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.projection_failed(text, bigint, bigint, bigint, text, text, boolean, boolean) IS
    'A worker has failed on these events, or, where they are NULL, before the first: the next transactions go event by event, wait, or do what on_error says. no_blame: whether no event is to blame; NULL: by the SQLSTATE. process_ended: the process of the worker ended on it.';

CREATE FUNCTION eventcore.projection_replayed(wanted text, replayed_position bigint) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT eventcore.delete_projection_parked(projection_replayed.wanted, ARRAY[projection_replayed.replayed_position]);
$$;
COMMENT ON FUNCTION eventcore.projection_replayed(text, bigint) IS
    'A worker has handed this parked event to the handler, in this transaction.';

CREATE FUNCTION eventcore.projection_replay_failed(
    wanted          text,
    failed_position bigint,
    error_code      text,
    reason          text,
    no_blame        boolean DEFAULT NULL,
    process_ended   boolean DEFAULT false
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    IF NOT eventcore.lock_projection_soon(wanted) THEN
        RETURN;
    ELSIF coalesce(no_blame, eventcore.is_blameless(error_code)) THEN
        UPDATE eventcore.projections p
           SET interruptions = least(p.interruptions + 1, 1000000000), retry_at = eventcore.retry_time(p.interruptions + 1)
         WHERE p.name = wanted COLLATE "C";
        RETURN;
    END IF;
    UPDATE eventcore.projection_parked k
       SET replay = false, attempts = k.attempts + 1, sqlstate = error_code, reason = projection_replay_failed.reason
     WHERE k.projection = wanted COLLATE "C" AND k.position = failed_position AND k.replay;
    IF process_ended THEN
        UPDATE eventcore.projections p SET retry_at = clock_timestamp() + interval '1 s' WHERE p.name = wanted COLLATE "C";
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.projection_replay_failed(text, bigint, text, text, boolean, boolean) IS
    'A worker has failed on this parked event again: it stays parked.';
