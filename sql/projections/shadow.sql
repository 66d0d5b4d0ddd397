-- Shadow tables of a rebuild. Its worker calls these functions, with its owner's rights.

CREATE FUNCTION eventcore.make_shadow(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    p        eventcore.projections := eventcore.find_projection(wanted);
    original  regclass;
    copy      regclass;
    copy_name text;
    identity  text;
    old_names text[];
    new_names text[];
BEGIN
    EXECUTE format('CREATE SCHEMA %I', p.shadow_schema);
    FOR original IN SELECT DISTINCT t::regclass FROM unnest(p.tables) t LOOP
        SELECT format('%I.%I', p.shadow_schema, c.relname) INTO copy_name FROM pg_class c WHERE c.oid = original;
        EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', copy_name, original);
        copy := copy_name;
        SELECT CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' END INTO identity FROM pg_class c WHERE c.oid = original;
        IF identity IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', copy, identity);
        END IF;
        -- ON CONFLICT ON CONSTRAINT in the handler uses the names that the constraints have in the original.
        SELECT array_agg(c.conname), array_agg(o.conname) INTO old_names, new_names
          FROM (SELECT k.conname, pg_get_constraintdef(k.oid) AS definition,
                       row_number() OVER (PARTITION BY pg_get_constraintdef(k.oid) ORDER BY k.oid) AS nth
                  FROM pg_constraint k WHERE k.conrelid = original AND k.contype IN ('p', 'u', 'x')) o
          JOIN (SELECT k.conname, pg_get_constraintdef(k.oid) AS definition,
                       row_number() OVER (PARTITION BY pg_get_constraintdef(k.oid) ORDER BY k.oid) AS nth
                  FROM pg_constraint k WHERE k.conrelid = copy AND k.contype IN ('p', 'u', 'x')) c USING (definition, nth)
         WHERE c.conname <> o.conname;
        -- In two steps, because the old and the new names may overlap.
        FOR n IN 1 .. coalesce(cardinality(old_names), 0) LOOP
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', copy, old_names[n], 'eventcore ' || n);
        END LOOP;
        FOR n IN 1 .. coalesce(cardinality(old_names), 0) LOOP
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', copy, 'eventcore ' || n, new_names[n]);
        END LOOP;
    END LOOP;
    UPDATE eventcore.projections t SET reset_pending = false, attempts = 0 WHERE t.name = wanted COLLATE "C";
END
$$;
COMMENT ON FUNCTION eventcore.make_shadow(text) IS
    'Creates the shadow tables of a rebuild: empty copies of the tables that they will replace, in a schema of their own.';

CREATE FUNCTION eventcore.has_used(relation regclass) RETURNS boolean
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'eventcore_has_used';
COMMENT ON FUNCTION eventcore.has_used(regclass) IS
    'Whether this transaction holds a lock on the table, as it does after having read or written it.';

CREATE FUNCTION eventcore.check_shadow(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p eventcore.projections := eventcore.find_projection(wanted);
BEGIN
    -- The owner of the projection must own it: functions that another role put there would run with the owner's rights.
    IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = p.shadow_schema AND n.nspowner = p.owner) THEN
        PERFORM eventcore.fail_unavailable('shadow_missing', ARRAY[p.shadow_schema, wanted]);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_shadow(text) IS
    'SE009 unless the schema of a rebuild exists and belongs to the owner of the projection.';

CREATE FUNCTION eventcore.check_original_unused(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p    eventcore.projections := eventcore.find_projection(wanted);
    used regclass;
BEGIN
    -- Deferred triggers would write after this check.
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT r INTO used FROM eventcore.projection_relations(p.tables) r WHERE eventcore.has_used(r) LIMIT 1;
    IF FOUND THEN
        PERFORM eventcore.fail_unavailable('original_used', ARRAY[p.handler, wanted, used::text]);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_original_unused(text) IS
    'SE009 if this transaction has read or written one of the tables that the rebuild will replace.';

CREATE FUNCTION eventcore.take_place(wanted text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = on
AS $$
DECLARE
    p       eventcore.projections := eventcore.find_projection(wanted);
    one     regclass;
    deletes text;
    inserts text;
    old_sequence text;
    new_sequence text;
    patience CONSTANT text := current_setting('lock_timeout');
    is_left  boolean;
BEGIN
    -- Readers need not wait. Writers must, and so must sessions that lock rows, because these rows are deleted. The wait is
    -- short, because others queue up behind it: after 55P03 the worker tries again.
    PERFORM set_config('lock_timeout', '200 ms', true);
    FOR one IN SELECT DISTINCT t::regclass FROM unnest(p.tables) t ORDER BY 1 LOOP
        EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', one);
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true);
    -- The tables cannot change from here on, but they may have changed since eventcore_rebuild_projection was called.
    PERFORM eventcore.check_shadow_possible(eventcore.find_projection(p.rebuilds));
    -- One statement for all tables: foreign keys between them are checked at its end.
    SELECT string_agg(format('%I AS (DELETE FROM %s)', 'd' || t.number, t.original), ', '),
           string_agg(format('%I AS (INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I.%I)',
                             't' || t.number, t.original, t.columns, t.columns, p.shadow_schema, t.relname), ', ')
      INTO deletes, inserts
      FROM (SELECT row_number() OVER (ORDER BY c.oid) AS number, c.oid::regclass AS original, c.relname,
                   (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
              FROM pg_class c WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t)) t;
    deletes := format('WITH %s SELECT', deletes);
    inserts := format('WITH %s SELECT', inserts);
    -- A policy must not hide rows that are replaced: PostgreSQL raises an error then. The tables of eventcore have policies
    -- of their own, so this holds only for these statements.
    PERFORM set_config('row_security', 'off', true);
    -- With the search_path that triggers and functions in constraints have when the handler writes.
    PERFORM set_config('search_path', s.reset_val, true) FROM pg_settings s WHERE s.name = 'search_path';
    EXECUTE deletes;
    FOR one IN SELECT DISTINCT t::regclass FROM unnest(p.tables) t LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', one) INTO is_left;
        IF is_left THEN
            PERFORM eventcore.fail_unavailable('rows_left', ARRAY[one::pg_catalog.text, wanted, p.rebuilds]);
        END IF;
    END LOOP;
    EXECUTE inserts;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM set_config('row_security', 'on', true);

    -- The sequence of an identity column continues after the highest value drawn for either table. It never goes back, because
    -- a rollback does not undo setval. Other sequences were shared.
    FOR old_sequence, new_sequence IN
        SELECT pg_get_serial_sequence(c.oid::regclass::text, a.attname),
               pg_get_serial_sequence(format('%I.%I', p.shadow_schema, c.relname), a.attname)
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.oid IN (SELECT t::regclass FROM unnest(p.tables) t) AND a.attidentity <> '' AND NOT a.attisdropped
    LOOP
        EXECUTE format('SELECT setval(%L, CASE WHEN NOT o.is_called THEN n.last_value
                                               WHEN s.seqincrement > 0 THEN greatest(o.last_value, n.last_value)
                                               ELSE least(o.last_value, n.last_value) END)
                          FROM %s o, %s n, pg_sequence s WHERE n.is_called AND s.seqrelid = %L::regclass
                           AND (o.is_called OR CASE WHEN s.seqincrement > 0 THEN n.last_value >= o.last_value
                                                    ELSE n.last_value <= o.last_value END)',
                       old_sequence, old_sequence, new_sequence, old_sequence);
    END LOOP;

    PERFORM eventcore.delete_projection_parked(p.rebuilds, NULL);
    UPDATE eventcore.projection_parked k SET projection = p.rebuilds WHERE k.projection = p.name;
    UPDATE eventcore.projections t
       SET checkpoint = p.checkpoint, singly_until = p.singly_until, skipped = p.skipped, attempts = 0, retry_at = '-infinity',
           reset_pending = false, table_ids = eventcore.table_ids(p.tables), last_error = p.last_error, last_sqlstate = p.last_sqlstate,
           last_error_position = p.last_error_position, last_error_at = p.last_error_at,
           last_rebuild = p.shadow_schema, rebuilt_at = clock_timestamp(),
           status = CASE t.status WHEN 'failed' THEN 'running' ELSE t.status END
     WHERE t.name = p.rebuilds;
    PERFORM eventcore.delete_projection(p.name);
    PERFORM eventcore.drop_shadow(p);
END
$$;
COMMENT ON FUNCTION eventcore.take_place(text) IS
    'Replaces the rows, the checkpoint and the parked events of a projection by those of its rebuild, and ends the rebuild. The caller holds the locks of both.';

CREATE FUNCTION eventcore.drop_shadow(p eventcore.projections) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
BEGIN
    -- The name may have been written by any member of the owner: only a schema that the owner could drop is dropped.
    IF p.shadow_schema ~ '^eventcore_rebuild_' AND EXISTS (
        SELECT FROM pg_namespace n WHERE n.nspname = p.shadow_schema AND n.nspowner = p.owner) THEN
        EXECUTE format('DROP SCHEMA %I CASCADE', p.shadow_schema);
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.drop_shadow(eventcore.projections) IS
    'Drops the shadow tables of a rebuild, if they exist.';
