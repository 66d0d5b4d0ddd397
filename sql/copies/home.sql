-- Which database this is, so that rows of another one are known. A row of a subscription, of a checkpoint or of a
-- projection is work that one database does. Logical replication, and a restore that disables triggers, bring such rows
-- into a second database: there they are copies, which nobody delivers, runs or advances until they are adopted.

-- A sequence, because these go where the files go (a base backup, a standby, pg_upgrade), and neither into a
-- publication nor, without pg_extension_config_dump, into a dump.
CREATE SEQUENCE eventcore.home_id AS bigint MINVALUE 1 NO CYCLE;
COMMENT ON SEQUENCE eventcore.home_id IS
    'A random number that this database got from CREATE EXTENSION. Rows with another home_id belong to another database.';
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
    'Trigger that lets rows that are made or restored here belong to this database. Not ENABLE ALWAYS: rows that are replicated stay those of the publisher.';
