-- Triggers that complete the row of a projection, and that tell every process of a change.

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
COMMENT ON FUNCTION eventcore.table_ids(text[]) IS 'The OIDs of the tables with these full names; NULL for those that do not exist.';

CREATE FUNCTION eventcore.settle_projection() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.owner_name IS NULL THEN
        NEW.owner_name := (SELECT r.rolname FROM pg_roles r WHERE r.oid = NEW.owner);
    ELSE
        -- Restored: the OID is that of a role of another cluster, or of a role that was dropped.
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
    'Trigger that assigns a projection that is created or restored here to this database, and to the role with the name of its owner. Not ENABLE ALWAYS: replicated rows keep belonging to the publisher.';
-- Before projections_have_owners, in the order of their names.
CREATE TRIGGER projections_are_settled BEFORE INSERT ON eventcore.projections
    FOR EACH ROW EXECUTE FUNCTION eventcore.settle_projection();
COMMENT ON TRIGGER projections_are_settled ON eventcore.projections IS
    'A projection that is created or restored here belongs to this database; a replicated one does not.';

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
