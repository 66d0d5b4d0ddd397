-- Rebuilding a projection, in its own tables or in shadow tables.

CREATE FUNCTION @extschema@.eventcore_rebuild_projection(name text, shadow boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
    p       eventcore.projections := eventcore.change_projection(name);
    rebuild text := p.name || '/rebuild';
BEGIN
    PERFORM eventcore.check_projection_owner(p.name, p.owner);
    IF shadow IS NULL THEN
        PERFORM eventcore.fail_malformed('shadow', 'is NULL');
    ELSIF p.mode = 'inline' THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", an inline projection, which is not rebuilt', p.name));
    ELSIF p.rebuilds IS NOT NULL THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", a rebuild itself: drop it and start another', p.name));
    ELSIF EXISTS (SELECT FROM eventcore.projections t WHERE t.rebuilds = p.name AND t.owner = p.owner) THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", which is being rebuilt: drop "%s" to cancel that', p.name, rebuild));
    ELSIF NOT shadow AND p.reset IS NULL AND p.tables IS NULL THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", which was created with neither reset nor tables, so that a rebuild cannot empty anything', p.name));
    END IF;
    -- The worker empties the tables or creates the shadow tables, because the owner's rights may differ from the caller's.
    IF NOT shadow THEN
        UPDATE eventcore.projections t
           SET checkpoint = 0, reset_pending = true, table_ids = eventcore.table_ids(p.tables), singly_until = 0, attempts = 0, retry_at = '-infinity',
               status = CASE status WHEN 'failed' THEN 'running' ELSE status END
         WHERE t.name = p.name;
        PERFORM eventcore.delete_projection_parked(p.name, NULL);
        RETURN true;
    END IF;
    PERFORM eventcore.check_shadow_possible(p);
    INSERT INTO eventcore.projections
           (name, rebuilds, shadow_schema, handler, mode, owner, checkpoint, reset_pending, batch_size, on_error,
            retry_limit, takes_array, stream_prefixes, event_types, tables, function_owners, home_id, owner_name, table_ids)
    VALUES (rebuild, p.name, 'eventcore_rebuild_' || substr(gen_random_uuid()::text, 1, 8), p.handler, p.mode, p.owner, 0, true,
            p.batch_size, p.on_error, p.retry_limit, p.takes_array, p.stream_prefixes, p.event_types, p.tables, p.function_owners,
            eventcore.home_id(), p.owner_name, eventcore.table_ids(p.tables))
    ON CONFLICT ON CONSTRAINT projections_pkey DO NOTHING;
    IF NOT FOUND THEN
        PERFORM eventcore.fail_malformed('name', format('is "%s", and there is another projection "%s"', p.name, rebuild));
    END IF;
    UPDATE eventcore.projections t SET status = 'running' WHERE t.name = rebuild;
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.eventcore_rebuild_projection(text, boolean) IS
$$Rebuilds an async projection from the first event.

shadow => false: its worker empties its tables and calls its reset function, in the transaction of the first batch. Readers
see the old rows until then, and the growing new ones after that. Needs reset or tables.
shadow => true: a projection "<name>/rebuild" passes the events to the same handler, with copies of the tables first on
search_path, while the projection continues. When it has caught up, its rows replace those of the tables in one transaction:
readers see either the old or the new state. eventcore.stat_projections shows the rebuild until then; it is paused, resumed and
dropped like any projection. Needs tables, a handler that names them without their schema, and an owner that may CREATE in the
database.
SE003 an inline projection; nothing to empty; a projection that is being rebuilt; a shadow that is not possible. SE007 no such
projection. 42501 it belongs to another role.$$;

CREATE FUNCTION eventcore.reset_projection(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    listed text;
BEGIN
    SELECT array_to_string(p.tables, ', ') INTO listed FROM eventcore.projections p WHERE p.name = wanted COLLATE "C";
    IF listed IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || listed;
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.reset_projection(text) IS 'Empties the tables of a projection. Its worker calls it, as its owner.';

CREATE FUNCTION eventcore.projection_relations(tables text[]) RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Not pg_partition_tree, which locks them.
    WITH RECURSIVE part (relation) AS (
        SELECT t::regclass::oid FROM unnest(projection_relations.tables) t
        UNION
        SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.relation
    )
    SELECT part.relation::regclass FROM part;
$$;
COMMENT ON FUNCTION eventcore.projection_relations(text[]) IS
    'The tables of a projection, each once, and their partitions.';

CREATE FUNCTION eventcore.check_shadow_possible(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    handler    CONSTANT oid := to_regprocedure(p.handler);
    wrong      text;
    referenced text;
BEGIN
    IF octet_length(p.name || '/rebuild') > 255 THEN
        PERFORM eventcore.fail_malformed('name', 'is longer than 247 bytes, too long for one more "/rebuild"');
    ELSIF p.tables IS NULL THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but "%s" was created without tables', p.name));
    ELSIF handler IS NULL THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but %s is missing', p.handler));
    ELSIF EXISTS (SELECT FROM pg_proc f, unnest(f.proconfig) c WHERE f.oid = handler AND starts_with(c, 'search_path=')) THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but %s sets search_path itself and would not find the shadow tables', p.handler));
    ELSIF EXISTS (SELECT FROM pg_proc f WHERE f.oid = handler AND f.prosqlbody IS NOT NULL) THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but the body of %s was parsed when it was created, and would not find the shadow tables', p.handler));
    ELSIF NOT has_database_privilege(p.owner, current_database(), 'CREATE') THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but the role %s lacks the privilege CREATE on database %I', p.owner_name, current_database()));
    END IF;

    SELECT t INTO wrong FROM unnest(p.tables) t WHERE to_regclass(t) IS NULL LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but the table %s does not exist', wrong));
    END IF;
    SELECT min(c.relname) INTO wrong FROM pg_class c
     WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t)
     GROUP BY c.relname HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but two of the tables have the name %I', wrong));
    END IF;
    SELECT c.oid::regclass INTO wrong FROM pg_class c
     WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t) AND c.relkind <> 'p'
       AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow', format('is true, but other tables inherit from %s', wrong));
    END IF;
    SELECT k.conrelid::regclass, k.confrelid::regclass INTO wrong, referenced FROM pg_constraint k
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND k.confrelid IN (SELECT r FROM eventcore.projection_relations(p.tables) r)
       AND k.conrelid NOT IN (SELECT r FROM eventcore.projection_relations(p.tables) r)
     LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_malformed('shadow',
            format('is true, but %s has a foreign key to %s and is not one of the tables', wrong, referenced));
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_shadow_possible(eventcore.projections) IS
    'SE003 if it is already known that a projection cannot be rebuilt in shadow tables.';
