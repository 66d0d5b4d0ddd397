-- The identity of this database, by which rows of another database are recognised. The row of a subscription, a checkpoint or
-- a projection is work for exactly one database. Logical replication, and a restore that disables triggers, bring such rows
-- into a second database. There they are copies: they are not delivered, advanced or run until they are adopted.

-- A sequence, because sequences are part of the files (a base backup, a standby, pg_upgrade), but not of a publication, and
-- without pg_extension_config_dump not of a dump.
CREATE SEQUENCE eventcore.home_id AS bigint MINVALUE 1 NO CYCLE;
COMMENT ON SEQUENCE eventcore.home_id IS
    'A random number that CREATE EXTENSION gave this database. Rows with another home_id belong to another database.';
SELECT FROM pg_catalog.setval('eventcore.home_id', 1 + (
    'x' || pg_catalog.substr(pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', ''), 18))::bit(60)::bigint);

CREATE FUNCTION eventcore.home_id() RETURNS bigint
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'eventcore_home_id';
COMMENT ON FUNCTION eventcore.home_id() IS 'The home_id of the rows that belong to this database.';

CREATE FUNCTION eventcore.settle() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.home_id := eventcore.home_id();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION eventcore.settle() IS
    'Trigger that assigns rows that are created or restored here to this database. Not ENABLE ALWAYS: replicated rows keep belonging to the publisher.';
