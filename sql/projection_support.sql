-- What the functions and the workers of projections share: locks, owners, and what becomes of a failure.

CREATE FUNCTION eventcore.lock_events() RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_lock_events';
COMMENT ON FUNCTION eventcore.lock_events() IS
    'Waits until all appends under way have ended, and keeps others from beginning until the transaction ends, as CREATE TRIGGER does. 42501 without the privilege TRIGGER on eventcore.events.';

CREATE FUNCTION eventcore.lock_projection(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_lock_projection';
COMMENT ON FUNCTION eventcore.lock_projection(text) IS
    'Waits until no worker runs this projection, and keeps them from it until the transaction ends. 42501 if it belongs to another role. 25006 where nothing may be written.';

CREATE FUNCTION eventcore.projection_key(name text) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'eventcore_projection_key';
COMMENT ON FUNCTION eventcore.projection_key(text) IS
    'What its lock has in pg_locks: classid in the upper half, objid in the lower.';

CREATE FUNCTION eventcore.owner_waits_for(owner regrole) RETURNS text
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_owner_waits_for';
COMMENT ON FUNCTION eventcore.owner_waits_for(regrole) IS
    'What keeps the projections of this role from being run right now; NULL: nothing. See eventcore.stat_projections.waits_for.';

CREATE FUNCTION eventcore.projections_changed() RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_projections_changed';
COMMENT ON FUNCTION eventcore.projections_changed() IS
    'When the transaction commits, makes every process read the list of projections again.';

CREATE FUNCTION eventcore.delete_projection(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_delete_projection';
COMMENT ON FUNCTION eventcore.delete_projection(text) IS
    'Deletes the row of a projection, if there is one, without the privilege DELETE. 42501 if it belongs to another role. 40001 if another transaction has changed it meanwhile.';

CREATE FUNCTION eventcore.delete_projection_parked(projection text, positions bigint[]) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_delete_projection_parked';
COMMENT ON FUNCTION eventcore.delete_projection_parked(text, bigint[]) IS
    'Deletes what is parked of a projection, at these positions or, where they are NULL, all; without the privilege DELETE. Returns how many there were. 42501 if the projection is somebody else''s.';

CREATE FUNCTION eventcore.fail_unknown_projection(projection text) RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_fail_unknown_projection';
COMMENT ON FUNCTION eventcore.fail_unknown_projection(text) IS
    'Raises SE007: there is no projection of this name.';

CREATE FUNCTION eventcore.check_projection_owner(projection text, owner regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- An owner that is gone is nobody's. A worker logs in as the owner, so that from PostgreSQL 16 on, where the two differ, whoever
    -- has a role's rights must be able to become that role too.
    IF NOT (CASE WHEN EXISTS (SELECT FROM pg_roles r WHERE r.oid = owner) THEN pg_has_role(owner, 'USAGE')
                  AND CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN pg_has_role(owner, 'SET') ELSE true END
                 ELSE (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) END) THEN
        RAISE EXCEPTION 'permission denied for projection "%"', projection
            USING ERRCODE = '42501', DETAIL = format('It belongs to %s.', owner);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_projection_owner(text, regrole) IS
    '42501 unless the caller is a member of the role that owns the projection.';

-- Roles may write the tables, for the functions and the workers run with their rights; but what a projection
-- does is done with its owner's rights, so nobody may make or change one of somebody else's, nor what is parked of it.
CREATE FUNCTION eventcore.guard_projection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM eventcore.check_projection_owner(OLD.name, OLD.owner);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM eventcore.check_projection_owner(NEW.name, NEW.owner);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.mode = 'inline' AND NOT has_table_privilege('eventcore.events', 'TRIGGER') THEN
        RAISE EXCEPTION 'permission denied for inline projection "%"', NEW.name
            USING ERRCODE = '42501', DETAIL = 'It runs in the appends of all roles, as a trigger would.',
                  HINT = 'GRANT TRIGGER ON eventcore.events, or create it with mode => ''async''.';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.rebuilds IS NOT NULL
       AND NOT EXISTS (SELECT FROM eventcore.projections p WHERE p.name = NEW.rebuilds AND p.owner = NEW.owner AND p.rebuilds IS NULL)
       -- In a restore it may come first.
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION 'permission denied for projection "%"', NEW.name
            USING ERRCODE = '42501', DETAIL = format('There is no projection "%s" of %s.', NEW.rebuilds, NEW.owner::regrole);
    END IF;
    -- A role that was renamed.
    IF TG_OP = 'UPDATE' AND NEW.home_id = eventcore.home_id() THEN
        NEW.owner_name := coalesce((SELECT r.rolname FROM pg_roles r WHERE r.oid = NEW.owner), NEW.owner_name);
    END IF;
    -- A row that comes by a restore: its worker must not run before what it writes to is there.
    IF TG_OP = 'INSERT' AND NEW.mode = 'async' AND NEW.status = 'running' THEN
        NEW.status := 'paused';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION eventcore.guard_projection() IS
    'Trigger that lets a role write projections of its own only (42501). An async one begins paused.';
CREATE TRIGGER projections_have_owners BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projections
    FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection();
ALTER TABLE eventcore.projections ENABLE ALWAYS TRIGGER projections_have_owners;
COMMENT ON TRIGGER projections_have_owners ON eventcore.projections IS
    'A projection is made, changed and dropped by members of its owner only.';

CREATE FUNCTION eventcore.table_ids(tables text[]) RETURNS oid[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    -- Not to_regclass, which asks for the privilege USAGE on the schema.
    SELECT array_agg(c.oid ORDER BY t.place)
      FROM unnest(table_ids.tables) WITH ORDINALITY t (name, place)
      LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
        ON format('%I.%I', n.nspname, c.relname) = t.name COLLATE "C"
$$;
COMMENT ON FUNCTION eventcore.table_ids(text[]) IS 'The numbers that tables of these full names have now, NULL for those that do not exist.';

CREATE FUNCTION eventcore.settle_projection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.owner_name IS NULL THEN
        NEW.owner_name := (SELECT r.rolname FROM pg_roles r WHERE r.oid = NEW.owner);
    ELSE
        -- Restored: the number is that of a role of another cluster, or of one that is gone.
        NEW.owner := coalesce((SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.owner_name), 0);
        IF NEW.owner = 0 THEN
            NEW.last_error := format('the role "%s" does not exist', NEW.owner_name);
            NEW.last_sqlstate := '42704';
            NEW.last_error_position := NULL;
            NEW.last_error_at := clock_timestamp();
        END IF;
    END IF;
    NEW.home_id := eventcore.home_id();
    NEW.table_ids := eventcore.table_ids(NEW.tables);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION eventcore.settle_projection() IS
    'Trigger that lets projections that are made or restored here belong to this database, and to the role of that name here. Not ENABLE ALWAYS: rows that are replicated stay those of the publisher.';
-- Before projections_have_owners, in the order of their names.
CREATE TRIGGER projections_are_settled BEFORE INSERT ON eventcore.projections
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle_projection();
COMMENT ON TRIGGER projections_are_settled ON eventcore.projections IS
    'What is created or restored here belongs to this database; what is replicated does not.';

CREATE FUNCTION eventcore.announce_projections() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM eventcore.projections_changed();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.announce_projections() IS
    'Trigger that makes every process read the list of projections again, except after a batch.';
CREATE TRIGGER projections_are_announced AFTER INSERT OR DELETE OR UPDATE OF name, owner, mode, status, handler, takes_array,
        stream_prefixes, event_types ON eventcore.projections
    FOR EACH STATEMENT EXECUTE FUNCTION eventcore.announce_projections();
ALTER TABLE eventcore.projections ENABLE ALWAYS TRIGGER projections_are_announced;
COMMENT ON TRIGGER projections_are_announced ON eventcore.projections IS
    'Every process that caches the list of projections receives each change.';

CREATE FUNCTION eventcore.guard_projection_parked() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    names CONSTANT text[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.projection]
        WHEN 'DELETE' THEN ARRAY[OLD.projection] ELSE ARRAY[OLD.projection, NEW.projection] END;
    one text;
BEGIN
    FOREACH one IN ARRAY names LOOP
        -- In a restore they come before the projection.
        PERFORM eventcore.check_projection_owner(one, coalesce((SELECT p.owner FROM eventcore.projections p WHERE p.name = one), 0::oid));
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION eventcore.guard_projection_parked() IS
    'Trigger that lets a role write what is parked of its own projections only (42501).';
CREATE TRIGGER projection_parked_has_owners BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projection_parked
    FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection_parked();
ALTER TABLE eventcore.projection_parked ENABLE ALWAYS TRIGGER projection_parked_has_owners;
COMMENT ON TRIGGER projection_parked_has_owners ON eventcore.projection_parked IS
    'What is parked is changed by members of its projection''s owner only.';

-- Whoever may UPDATE a row may also lock it, with SELECT ... FOR UPDATE, and keep its worker from it: so nobody may with a
-- projection of somebody else. Everything else is decided by the triggers, which raise an error.
ALTER TABLE eventcore.projections ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON eventcore.projections FOR SELECT USING (true);
CREATE POLICY creators ON eventcore.projections FOR INSERT WITH CHECK (true);
CREATE POLICY owners ON eventcore.projections FOR UPDATE
    USING (pg_catalog.pg_has_role(owner, 'USAGE')) WITH CHECK (true);
ALTER TABLE eventcore.projection_parked ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON eventcore.projection_parked FOR SELECT USING (true);
CREATE POLICY creators ON eventcore.projection_parked FOR INSERT WITH CHECK (true);
CREATE POLICY owners ON eventcore.projection_parked FOR UPDATE
    USING (EXISTS (SELECT FROM eventcore.projections p WHERE p.name = projection AND pg_catalog.pg_has_role(p.owner, 'USAGE')))
    WITH CHECK (true);
COMMENT ON POLICY owners ON eventcore.projections IS 'Only members of its owner lock or change a projection.';
COMMENT ON POLICY owners ON eventcore.projection_parked IS 'Only members of its owner lock or change what is parked of a projection.';

CREATE FUNCTION eventcore.find_projection(wanted text, argument text DEFAULT 'name')
RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    found_one eventcore.projections;
BEGIN
    SELECT * INTO found_one FROM eventcore.projections p WHERE p.name = wanted COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.check_name(argument, wanted);
        PERFORM eventcore.fail_unknown_projection(wanted);
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.find_projection(text, text) IS 'A projection by its name; SE007 if there is none.';

CREATE FUNCTION eventcore.change_projection(wanted text, argument text DEFAULT 'name')
RETURNS eventcore.projections
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_one eventcore.projections;
BEGIN
    PERFORM eventcore.check_name(argument, wanted);
    PERFORM eventcore.see_newest('projection');
    PERFORM eventcore.lock_projection(wanted);
    PERFORM eventcore.projections_changed();
    found_one := eventcore.find_projection(wanted, argument);
    IF found_one.home_id <> eventcore.home_id() THEN
        PERFORM eventcore.fail_copied('projection', wanted);
    END IF;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION eventcore.change_projection(text, text) IS
    'A projection by its name, which no worker runs until the transaction ends; SE007 if there is none, SE009 if it is a copy of that of another database.';

-- What a worker writes down.

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
