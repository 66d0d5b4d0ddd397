-- The library that the server has loaded, and whether it knows what this script creates.

CREATE FUNCTION eventcore.library_version() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'eventcore_library_version';
COMMENT ON FUNCTION eventcore.library_version() IS 'The version of the library that the server has loaded.';

CREATE FUNCTION eventcore.require_library() RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'eventcore_require_library';
COMMENT ON FUNCTION eventcore.require_library() IS
$$Each script of CREATE EXTENSION and ALTER EXTENSION UPDATE calls this first. SE009, restart_needed: the server has still
loaded the library of an earlier release than the one that the script makes.$$;

SELECT eventcore.require_library();

CREATE FUNCTION @extschema@.eventcore_version(OUT extension text, OUT library text, OUT server text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'eventcore'),
           eventcore.library_version(),
           pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1);
END;
COMMENT ON FUNCTION @extschema@.eventcore_version() IS
$$The versions in use, one row. extension: of the objects in this database, which ALTER EXTENSION eventcore UPDATE raises.
library: of the library that the server has loaded, which new files and a restart raise. server: of PostgreSQL.$$;
