-- The first file: what holds for the whole install script, and the schema eventcore.

-- The whole install script looks names up in pg_catalog only. Otherwise a role that may CREATE in the schema that CREATE
-- EXTENSION names could put a function or an operator there whose argument types fit better than those of pg_catalog. It would
-- run with the rights of the superuser that installs the extension, and views would keep it. So a name in that schema is
-- written with a placeholder, which PostgreSQL replaces by the schema. The setting ends with CREATE EXTENSION.
SET LOCAL search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'eventcore needs a database with encoding UTF8, this one has %',
                pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'SE009',
                  DETAIL = '{"reason": "encoding"}',
                  HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$$;

CREATE SCHEMA eventcore;
COMMENT ON SCHEMA eventcore IS
    'Tables and views of the extension eventcore. Its functions are in the schema that CREATE EXTENSION named.';
