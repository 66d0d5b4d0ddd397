-- What a worker records: progress, failures, and the results of replayed events.

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
    'Records that the worker has handled all events up to this position, in this transaction.';

CREATE FUNCTION eventcore.projections_passed(wanted text[], from_positions bigint[], to_positions bigint[]) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    written text[];
BEGIN
    WITH passed AS MATERIALIZED (
        SELECT p.name, n.to_position
          FROM unnest(wanted, from_positions, to_positions) n (name, from_position, to_position)
          JOIN eventcore.projections p ON p.name = n.name COLLATE "C"
         WHERE p.checkpoint = n.from_position AND p.status = 'running' AND NOT p.reset_pending
           FOR NO KEY UPDATE OF p SKIP LOCKED
    ), changed AS (
        UPDATE eventcore.projections p
           SET checkpoint = n.to_position, attempts = 0, interruptions = 0
          FROM passed n WHERE p.name = n.name
        RETURNING p.name
    )
    SELECT array_agg(c.name) INTO written FROM changed c;
    RETURN written;
END
$$;
COMMENT ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[]) IS
    'Records that none of the events up to these positions matches these projections, whose checkpoints are the first positions. Returns those that it has recorded: not those whose rows another transaction has locked.';

CREATE FUNCTION eventcore.is_blameless(error_code text) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    -- Not 40002, a constraint, and not 53400, a configured limit: the same event would fail on them again.
    SELECT ("left"(error_code, 2) COLLATE "C" IN ('08', '40', '53', '58') AND error_code COLLATE "C" NOT IN ('40002', '53400'))
        OR error_code COLLATE "C" IN ('25006', '55P03');
END;
COMMENT ON FUNCTION eventcore.is_blameless(text) IS
    'Whether an error has a cause other than the event: a conflict with other transactions, or a lack of resources.';

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
COMMENT ON FUNCTION eventcore.retry_time(integer) IS 'When to try again after this many consecutive failures.';

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
        -- The lock holder is changing the projection. The worker tries again after that.
        RETURN;
    END IF;
    SELECT * INTO p FROM eventcore.projections v WHERE v.name = wanted;
    -- In the meantime it was dropped, paused or reset.
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
        -- Its checkpoint is of another history. Trying again does not change this.
        UPDATE eventcore.projections v SET status = 'failed', attempts = failures WHERE v.name = wanted;
    ELSIF p.rebuilds IS NOT NULL AND (error_code IN ('SE003', 'SE009') OR error_code LIKE '42%') THEN
        -- The handler does not work with a shadow, or an object does not exist, or the owner may not use it. No event is the
        -- cause, and trying again does not help. If every event were skipped, an empty table would replace a full one.
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
       -- A table that lacks rows of the original must not replace it.
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
        -- Whatever the cause, the next events come one by one, and after a pause in which other workers can run.
        UPDATE eventcore.projections v
           SET singly_until = greatest(v.singly_until, last_position),
               retry_at = greatest(v.retry_at, clock_timestamp() + interval '1 s')
         WHERE v.name = wanted AND v.status = 'running';
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.projection_failed(text, bigint, bigint, bigint, text, text, boolean, boolean) IS
    'Records that the worker failed on these events, or before the first one if they are NULL. The next transactions handle single events, wait, or do what on_error says. no_blame: whether the cause is not an event; NULL: decided by the SQLSTATE. process_ended: the worker process ended because of it.';

CREATE FUNCTION eventcore.projection_replayed(wanted text, replayed_position bigint) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT eventcore.delete_projection_parked(projection_replayed.wanted, ARRAY[projection_replayed.replayed_position]);
$$;
COMMENT ON FUNCTION eventcore.projection_replayed(text, bigint) IS
    'Records that the worker has passed this parked event to the handler, in this transaction.';

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
    'Records that this parked event has failed again: it stays parked.';
