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
        -- The other checks call functions of the library.
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM eventcore.check_tables();
    RETURN QUERY SELECT * FROM eventcore.check_definitions();
    RETURN QUERY SELECT 'privilege', format('%s %s', lower(g.kind), g.object),
                        format('%s has %s, which CREATE EXTENSION did not grant', g.role, g.privilege), g.revoke
                   FROM eventcore.granted_privileges g WHERE NOT g.as_created;
    RETURN QUERY SELECT * FROM eventcore.check_rows();
    IF thorough THEN
        RETURN QUERY SELECT * FROM eventcore.check_events();
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_check(boolean) IS
$$Checks the extension after a restore, a fail-over or an upgrade. One row for each finding, with the statement that repairs it,
or NULL; no row if everything is well. It reads the catalog and the small tables, in milliseconds.
thorough: also reads every event, so the caller has to be a reader, too.$$;
