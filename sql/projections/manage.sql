-- Pausing, resuming and dropping projections, changing their owner, and waiting for them.

CREATE FUNCTION @extschema@.eventcore_pause_projection(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p eventcore.projections := eventcore.change_projection(name);
BEGIN
    IF p.mode = 'inline' THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", an inline projection: drop it instead', p.name));
    END IF;
    UPDATE eventcore.projections t SET status = 'paused' WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_pause_projection(text) IS
$$Waits for the current batch; after that the handler is not called. SE003 an inline projection. SE007 no such projection.$$;

CREATE FUNCTION @extschema@.eventcore_resume_projection(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p eventcore.projections := eventcore.change_projection(name);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = p.owner) THEN
        p.owner := (SELECT r.oid FROM pg_roles r WHERE r.rolname = p.owner_name);
        IF p.owner IS NULL THEN
            PERFORM eventcore.fail_unavailable('owner_missing', ARRAY[p.name, p.owner_name]);
        END IF;
        UPDATE eventcore.projections t SET owner = p.owner WHERE t.name = p.name;
    END IF;
    UPDATE eventcore.projections t
       SET status = 'running', attempts = 0, retry_at = '-infinity' WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_resume_projection(text) IS
$$Lets a projection that is paused, has failed or waits to retry continue at once. SE007 no such projection. SE009 its owner does
not exist, for example after a restore into a cluster that lacks this role.$$;

CREATE FUNCTION @extschema@.eventcore_set_projection_owner(name text, owner text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p   eventcore.projections := eventcore.change_projection(name);
    new pg_roles;
BEGIN
    SELECT * INTO new FROM pg_roles r WHERE r.rolname = owner COLLATE "C";
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('owner', format('is "%s", and there is no role of this name', owner));
    ELSIF p.mode = 'async' AND NOT new.rolcanlogin THEN
        PERFORM eventcore.fail_malformed('owner', format('is "%s", a role that may not log in', owner));
    END IF;
    -- The caller says explicitly that the handler may run with the rights of the new owner.
    UPDATE eventcore.projections t
       SET owner = new.oid, status = CASE p.mode WHEN 'async' THEN 'paused' ELSE t.status END WHERE t.name = p.name;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_set_projection_owner(text, text) IS
$$Gives a projection to another role: its worker logs in as that role from now on. An async projection is paused until
eventcore_resume_projection. For superusers. SE003 the role does not exist or may not log in. SE007 no such projection.$$;

CREATE FUNCTION eventcore.remove_projection(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In this order: the row of the projection says whose parked events these are.
    PERFORM eventcore.delete_projection_parked(p.name, NULL);
    PERFORM eventcore.delete_projection(p.name);
    PERFORM eventcore.drop_shadow(p);
END
$$;
COMMENT ON FUNCTION eventcore.remove_projection(eventcore.projections) IS
    'Removes a projection, its parked events, and the tables of a rebuild.';

CREATE FUNCTION @extschema@.eventcore_drop_projection(name text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(name);
    rebuild eventcore.projections;
BEGIN
    SELECT * INTO rebuild FROM eventcore.projections t
     WHERE p.rebuilds IS NULL AND t.rebuilds = p.name AND t.owner = p.owner;
    IF FOUND THEN
        PERFORM eventcore.remove_projection(eventcore.change_projection(rebuild.name));
    END IF;
    PERFORM eventcore.remove_projection(p);
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_drop_projection(text) IS
$$Waits for the current batch and removes the projection. Its handler and the rows that it wrote stay. A rebuild in progress
is cancelled, and its shadow tables are dropped. To cancel only the rebuild of "p", drop "p/rebuild". SE007 no such projection.$$;

CREATE PROCEDURE @extschema@.eventcore_wait_for_projection(
    name             text,
    to_position      bigint   DEFAULT NULL,
    timeout          interval DEFAULT '30 seconds',
    INOUT checkpoint bigint   DEFAULT NULL
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'eventcore_wait_for_projection';
COMMENT ON PROCEDURE @extschema@.eventcore_wait_for_projection(text, bigint, interval, bigint) IS
$$Returns as soon as an async projection has handled all events up to a position, such as the last_position of an append, or
when the timeout is over; gives the checkpoint either way. to_position: NULL means the last committed position. It does not
hold back VACUUM while it waits, and cannot be called inside a transaction block (SE009).
SE003 malformed argument. SE007 no such projection. SE009 the projection has failed and does not advance.$$;
