-- What the functions of projections share: locks, looking up a projection, deleting rows without the privilege DELETE.

CREATE FUNCTION eventcore.lock_events() RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_lock_events';
COMMENT ON FUNCTION eventcore.lock_events() IS
    'Waits until all running appends have ended, and keeps new ones waiting until the transaction ends, as CREATE TRIGGER does. 42501 without the privilege TRIGGER on eventcore.events.';

CREATE FUNCTION eventcore.lock_projection(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_lock_projection';
COMMENT ON FUNCTION eventcore.lock_projection(text) IS
    'Waits until no worker runs this projection, and keeps workers from it until the transaction ends. 42501 it belongs to another role. 25006 on a standby and in a read-only transaction.';

CREATE FUNCTION eventcore.projection_key(name text) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'eventcore_projection_key';
COMMENT ON FUNCTION eventcore.projection_key(text) IS
    'The key of its lock in pg_locks: classid in the upper half, objid in the lower half.';

CREATE FUNCTION eventcore.owner_waits_for(owner regrole) RETURNS text
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_owner_waits_for';
COMMENT ON FUNCTION eventcore.owner_waits_for(regrole) IS
    'What keeps the projections of this role from running now; NULL: nothing. See eventcore.stat_projections.waits_for.';

CREATE FUNCTION eventcore.projections_changed() RETURNS void
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_projections_changed';
COMMENT ON FUNCTION eventcore.projections_changed() IS
    'Makes every process read the list of projections again when the transaction commits.';

CREATE FUNCTION eventcore.delete_projection(name text) RETURNS void
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_delete_projection';
COMMENT ON FUNCTION eventcore.delete_projection(text) IS
    'Deletes the row of a projection, if it exists, without the privilege DELETE. 42501 it belongs to another role. 40001 another transaction has changed it in the meantime.';

CREATE FUNCTION eventcore.delete_projection_parked(projection text, positions bigint[]) RETURNS bigint
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_delete_projection_parked';
COMMENT ON FUNCTION eventcore.delete_projection_parked(text, bigint[]) IS
    'Deletes the parked events of a projection at these positions, or all if they are NULL, without the privilege DELETE. Returns how many. 42501 the projection belongs to another role.';

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
COMMENT ON FUNCTION eventcore.find_projection(text, text) IS 'Returns the projection with this name. SE007 no such projection.';

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
    'Returns the projection with this name and keeps workers from it until the transaction ends. SE007 no such projection. SE009 it is a copy that belongs to another database.';
