-- eventcore_check: what an operator asks after a restore, a fail-over or an upgrade. Is everything as CREATE EXTENSION made
-- it, and is what the tables say consistent?

CREATE FUNCTION @extschema@.eventcore_check(thorough boolean DEFAULT false)
RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM eventcore.check_library();
    IF FOUND THEN
        -- What else there is depends on functions of the library.
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM eventcore.check_tables();
    RETURN QUERY SELECT * FROM eventcore.check_definitions();
    RETURN QUERY SELECT 'privilege', format('%s %s', lower(g.kind), g.object),
                        format('%s has %s, which CREATE EXTENSION has not given', g.role, g.privilege), g.revoke
                   FROM eventcore.granted_privileges g WHERE NOT g.as_created;
    RETURN QUERY SELECT * FROM eventcore.check_rows();
    IF thorough THEN
        RETURN QUERY SELECT * FROM eventcore.check_events();
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_check(boolean) IS
$$What an operator looks at after a restore, a fail-over or an upgrade: one row for each finding, with the statement that repairs
it, NULL where there is none; no row when all is well. It reads the catalog and the small tables, in milliseconds.
thorough: reads every event too. For superusers.$$;
