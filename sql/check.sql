-- What an operator asks after a restore, a fail-over or an upgrade: is everything of ours as CREATE EXTENSION made it, and does
-- what the tables say go together?

CREATE FUNCTION eventcore.library_version() RETURNS text
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'eventcore_library_version';
COMMENT ON FUNCTION eventcore.library_version() IS 'The version of the library that the server has loaded.';

CREATE FUNCTION eventcore.public_name(function text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%I.%I', n.nspname, p.proname)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
     WHERE e.extname = 'eventcore' AND p.proname = public_name.function COLLATE "C"
$$;
COMMENT ON FUNCTION eventcore.public_name(text) IS 'A public function of the extension with its schema, whatever that is called now.';

CREATE FUNCTION eventcore.find_function(signature text) RETURNS regprocedure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regprocedure(signature);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR program_limit_exceeded THEN
    -- It is no name of a function.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.find_function(text) IS
    'The function with this full name and these types of arguments; NULL if there is none or the text is malformed.';

CREATE FUNCTION eventcore.find_table(name text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN to_regclass(name);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR data_exception OR program_limit_exceeded THEN
    -- It is no name of a table.
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION eventcore.find_table(text) IS
    'The table with this full name; NULL if there is none or the text is malformed.';

CREATE VIEW eventcore.expected_triggers AS
SELECT t.table_name, t.trigger_name, t.enabled::"char" AS enabled, t.definition
  FROM (VALUES
    ('events', 'events_are_immutable', 'A',
     'BEFORE UPDATE OR DELETE OR TRUNCATE ON eventcore.events FOR EACH STATEMENT EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'every_event_is_immutable', 'A',
     'BEFORE UPDATE OR DELETE ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.refuse_change()'),
    ('events', 'events_before_insert', 'A',
     'BEFORE INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION eventcore.before_insert()'),
    ('subscriptions', 'subscriptions_settle', 'O',
     'BEFORE INSERT ON eventcore.subscriptions FOR EACH ROW EXECUTE FUNCTION eventcore.settle()'),
    ('checkpoints', 'checkpoints_settle', 'O',
     'BEFORE INSERT ON eventcore.checkpoints FOR EACH ROW EXECUTE FUNCTION eventcore.settle()'),
    ('projections', 'projections_are_settled', 'O',
     'BEFORE INSERT ON eventcore.projections FOR EACH ROW EXECUTE FUNCTION eventcore.settle_projection()'),
    ('projections', 'projections_have_owners', 'A',
     'BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projections FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection()'),
    ('projections', 'projections_are_announced', 'A',
     'AFTER INSERT OR DELETE OR UPDATE OF name, owner, mode, status, handler, takes_array, stream_prefixes, event_types'
     || ' ON eventcore.projections FOR EACH STATEMENT EXECUTE FUNCTION eventcore.announce_projections()'),
    ('projection_parked', 'projection_parked_has_owners', 'A',
     'BEFORE INSERT OR UPDATE OR DELETE ON eventcore.projection_parked FOR EACH ROW EXECUTE FUNCTION eventcore.guard_projection_parked()')
  ) AS t (table_name, trigger_name, enabled, definition);
COMMENT ON VIEW eventcore.expected_triggers IS 'The triggers that the tables have, for eventcore_check.';
COMMENT ON COLUMN eventcore.expected_triggers.table_name IS 'The table.';
COMMENT ON COLUMN eventcore.expected_triggers.trigger_name IS 'The trigger.';
COMMENT ON COLUMN eventcore.expected_triggers.enabled IS 'How it is enabled, as in pg_trigger.tgenabled.';
COMMENT ON COLUMN eventcore.expected_triggers.definition IS 'What follows its name in CREATE TRIGGER.';

CREATE VIEW eventcore.expected_indexes AS
SELECT i.table_name, i.index_name, i.is_constraint, i.definition
  FROM (VALUES
    ('events', 'events_pkey', true, 'PRIMARY KEY (position)'),
    ('events', 'events_stream_id_version_key', true, 'UNIQUE (stream_id, version)'),
    ('streams', 'streams_pkey', true, 'PRIMARY KEY (stream_id)'),
    ('subscriptions', 'subscriptions_pkey', true, 'PRIMARY KEY (name)'),
    ('leases', 'leases_pkey', true, 'PRIMARY KEY (subscription_id, lease_id)'),
    ('deliveries', 'deliveries_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('deliveries', 'deliveries_lease_idx', false, '(lease_id, position) WHERE lease_id IS NOT NULL'),
    ('deliveries', 'deliveries_waiting_idx', false, '(subscription_id, stream_id, position) WHERE lease_id IS NULL'),
    ('backlogs', 'backlogs_pkey', true, 'PRIMARY KEY (subscription_id, stream_id)'),
    ('backlogs', 'backlogs_returned_idx', false, '(subscription_id, due, returned_position) WHERE returned_position IS NOT NULL'),
    ('backlogs', 'backlogs_behind_idx', false, '(subscription_id, due, next_position) WHERE returned_position IS NULL'),
    ('backlogs', 'backlogs_delayed_idx', false, '(subscription_id, delayed_at) WHERE delayed_at IS NOT NULL'),
    ('parked', 'parked_pkey', true, 'PRIMARY KEY (subscription_id, position)'),
    ('checkpoints', 'checkpoints_pkey', true, 'PRIMARY KEY (projection)'),
    ('snapshots', 'snapshots_pkey', true, 'PRIMARY KEY (name, streams_digest)'),
    ('commands', 'commands_pkey', true, 'PRIMARY KEY (name)'),
    ('executions', 'executions_pkey', true, 'PRIMARY KEY (command, idempotency_key)'),
    ('command_states', 'command_states_pkey', true, 'PRIMARY KEY (command, stream_id, role)'),
    ('projections', 'projections_pkey', true, 'PRIMARY KEY (name)'),
    ('projection_parked', 'projection_parked_pkey', true, 'PRIMARY KEY (projection, position)'),
    ('projection_parked', 'projection_parked_replay_idx', false, '(projection, position) WHERE replay')
  ) AS i (table_name, index_name, is_constraint, definition);
COMMENT ON VIEW eventcore.expected_indexes IS 'The indexes that the tables have, for eventcore_check.';
COMMENT ON COLUMN eventcore.expected_indexes.table_name IS 'The table.';
COMMENT ON COLUMN eventcore.expected_indexes.index_name IS 'The index.';
COMMENT ON COLUMN eventcore.expected_indexes.is_constraint IS 'Whether it belongs to a constraint of its name.';
COMMENT ON COLUMN eventcore.expected_indexes.definition IS 'What follows its name, or that of its table, when it is made.';

CREATE FUNCTION eventcore.check_definitions() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
    WITH expected (number, name, type, is_nullable) AS (VALUES
        (1, 'position', 'bigint', false), (2, 'version', 'bigint', false), (3, 'recorded_at', 'timestamp with time zone', false),
        (4, 'event_id', 'uuid', false), (5, 'stream_id', 'text', false), (6, 'event_type', 'text', false),
        (7, 'payload', 'jsonb', false), (8, 'metadata', 'jsonb', true), (9, 'correlation_id', 'uuid', true), (10, 'causation_id', 'uuid', true)
    ), found AS (
        SELECT x.name, x.type, x.is_nullable, a.attnum, a.attname, a.attisdropped, a.attnotnull, a.atttypid, a.attcollation,
               format_type(a.atttypid, a.atttypmod) AS has_type
          FROM expected x FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'eventcore.events'::regclass AND attnum > 0) a ON a.attnum = x.number
    ), policy (table_name, name, command, qualification, definition) AS (VALUES
        ('projections', 'readers', 'r', 'true', 'FOR SELECT USING (true)'),
        ('projections', 'creators', 'a', NULL, 'FOR INSERT WITH CHECK (true)'),
        ('projections', 'owners', 'w', 'pg_has_role(owner, ''USAGE''::text)',
         'FOR UPDATE USING (pg_catalog.pg_has_role(owner, ''USAGE'')) WITH CHECK (true)'),
        ('projection_parked', 'readers', 'r', 'true', 'FOR SELECT USING (true)'),
        ('projection_parked', 'creators', 'a', NULL, 'FOR INSERT WITH CHECK (true)'),
        ('projection_parked', 'owners', 'w', '%pg_has_role(p.owner, ''USAGE''::text)%',
         'FOR UPDATE USING (EXISTS (SELECT FROM eventcore.projections p WHERE p.name = projection AND '
         || 'pg_catalog.pg_has_role(p.owner, ''USAGE''))) WITH CHECK (true)')
    ), body (name, hash) AS (VALUES
        -- SHA-256 of prosrc. A change of one of these functions changes its line here; a fresh database has no findings.
        ('refuse_change', '6da22c306366649d686f8fa47321e1f036afe53b43c3a72da5b5e09e03b23011'), ('settle', '8f5aae4463d430ffce2c9bdf63f750effc825815514faea0b3dcf0fb4bf1b76a'), ('settle_projection', 'fe57aaf004ae1d6d7d9e9c7c5c093cbe7dd8c5af2b28de30ce001e1da3b40d1d'),
        ('guard_projection', '4823dfe72ada43fb54788577c59c6cb34e9483f927de34868076e01197960226'), ('guard_projection_parked', '71ae1cb8f53ace8b86e232d79e85ab98b777a6776695279f484c2eecd5f42465'),
        ('announce_projections', '4ee8a37b0c8a104eceb2ce7a954c4e24251459f5f043af8d40c4873d2e307a4c'), ('before_insert', 'de76691c2ed4ec290023480b93bc2b9077a283b93d8f6311225a60f4d0a36b54')
    )
    SELECT 'column_missing', 'eventcore.events', format('the column %I was dropped: appends are refused', f.name), NULL
      FROM found f WHERE f.name IS NOT NULL AND coalesce(f.attisdropped, true)
    UNION ALL
    SELECT 'column_added', 'eventcore.events', format('the column %I is not one of ours: appends are refused', f.attname),
           format('ALTER TABLE eventcore.events DROP COLUMN %I', f.attname)
      FROM found f WHERE f.name IS NULL AND NOT f.attisdropped
    UNION ALL
    SELECT 'column_renamed', 'eventcore.events', format('the column %I is called %I', f.name, f.attname),
           format('ALTER TABLE eventcore.events RENAME COLUMN %I TO %I', f.attname, f.name)
      FROM found f WHERE NOT f.attisdropped AND f.name <> f.attname
    UNION ALL
    SELECT 'column_type', 'eventcore.events', format('the column %I has the type %s: appends are refused', f.attname, f.has_type),
           -- Of other types nobody knows what the values were.
           CASE WHEN f.type = 'text' AND f.atttypid IN ('varchar'::regtype, 'bpchar'::regtype)
                THEN format('ALTER TABLE eventcore.events ALTER COLUMN %I TYPE text COLLATE "C"', f.attname) END
      FROM found f WHERE NOT f.attisdropped AND f.type <> f.has_type
    UNION ALL
    SELECT 'column_collation', 'eventcore.events', format('the column %I has the collation %s: appends are refused', f.attname, f.attcollation::regcollation),
           format('ALTER TABLE eventcore.events ALTER COLUMN %I TYPE text COLLATE "C"', f.attname)
      FROM found f WHERE NOT f.attisdropped AND f.type = 'text' AND f.has_type = 'text' AND f.attcollation <> '"C"'::regcollation
    UNION ALL
    SELECT 'column_null', 'eventcore.events', format('the column %I %s NULL: appends are refused', f.attname, CASE WHEN f.attnotnull THEN 'refuses' ELSE 'allows' END),
           format('ALTER TABLE eventcore.events ALTER COLUMN %I %s NOT NULL', f.attname, CASE WHEN f.attnotnull THEN 'DROP' ELSE 'SET' END)
      FROM found f WHERE NOT f.attisdropped AND f.is_nullable = f.attnotnull
    UNION ALL
    SELECT 'foreign_index', 'eventcore.events', format('the unique index %s is not one of ours', i.indexrelid::regclass),
           CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
                ELSE format('ALTER TABLE eventcore.events DROP CONSTRAINT %I', k.conname) END
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
     WHERE i.indrelid = 'eventcore.events'::regclass AND i.indisunique
       AND NOT EXISTS (SELECT FROM eventcore.expected_indexes x WHERE x.table_name = 'events' AND x.index_name = c.relname)
    UNION ALL
    SELECT 'wrong_index', 'eventcore.' || x.table_name, format('the constraint %I is %s', x.index_name, pg_get_constraintdef(k.oid)),
           format('ALTER TABLE eventcore.%1$I DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I %3$s', x.table_name, x.index_name, x.definition)
      FROM eventcore.expected_indexes x JOIN pg_constraint k ON k.conrelid = to_regclass('eventcore.' || x.table_name) AND k.conname = x.index_name
     WHERE x.is_constraint AND replace(pg_get_constraintdef(k.oid), '"', '') <> x.definition
    UNION ALL
    SELECT 'missing_policy', 'eventcore.' || y.table_name, format('the policy %I is missing or is another one', y.name),
           format('%sCREATE POLICY %I ON eventcore.%I %s', CASE WHEN h.oid IS NULL THEN '' ELSE format('DROP POLICY %I ON eventcore.%I; ', y.name, y.table_name) END,
                  y.name, y.table_name, y.definition)
      FROM policy y LEFT JOIN pg_policy h ON h.polrelid = to_regclass('eventcore.' || y.table_name) AND h.polname = y.name
     WHERE h.oid IS NULL OR h.polcmd <> y.command::"char" OR NOT h.polpermissive OR h.polroles <> '{0}'
        OR (pg_get_expr(h.polqual, h.polrelid) LIKE y.qualification) IS FALSE
        OR (y.command <> 'r' AND pg_get_expr(h.polwithcheck, h.polrelid) IS DISTINCT FROM 'true')
    UNION ALL
    SELECT 'foreign_policy', h.polrelid::regclass::text, format('the policy %I is not one of ours', h.polname),
           format('DROP POLICY %I ON %s', h.polname, h.polrelid::regclass)
      FROM pg_policy h JOIN pg_class c ON c.oid = h.polrelid
     WHERE c.relnamespace = 'eventcore'::regnamespace
       AND NOT EXISTS (SELECT FROM policy y WHERE to_regclass('eventcore.' || y.table_name) = h.polrelid AND y.name = h.polname)
    UNION ALL
    SELECT 'wrong_trigger', 'eventcore.' || x.table_name, format('the trigger %I is another one than ours', x.trigger_name),
           format('DROP TRIGGER %1$I ON eventcore.%2$I; CREATE TRIGGER %1$I %3$s%4$s', x.trigger_name, x.table_name, x.definition,
                  CASE x.enabled WHEN 'A' THEN format('; ALTER TABLE eventcore.%I ENABLE ALWAYS TRIGGER %I', x.table_name, x.trigger_name) ELSE '' END)
      FROM eventcore.expected_triggers x
      JOIN pg_trigger t ON t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name
      JOIN pg_proc f ON f.oid = t.tgfoid
     WHERE f.pronamespace <> 'eventcore'::regnamespace OR t.tgqual IS NOT NULL OR t.tgnargs > 0
        OR right(x.definition, length(f.proname) + 13) <> format(' eventcore.%s()', f.proname)
    UNION ALL
    -- Nothing but another CREATE EXTENSION makes it as it was.
    SELECT 'replaced_function', format('eventcore.%s()', b.name), 'the function of a trigger is not the one that CREATE EXTENSION made', NULL
      FROM body b LEFT JOIN pg_proc f ON f.pronamespace = 'eventcore'::regnamespace AND f.proname = b.name AND f.pronargs = 0
     -- Not md5, which a server may refuse (FIPS).
     WHERE encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex') IS DISTINCT FROM b.hash;
$$;
COMMENT ON FUNCTION eventcore.check_definitions() IS
    'The findings of eventcore_check about columns, constraints and policies that were altered, and triggers that were replaced.';

CREATE FUNCTION eventcore.check_library() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    installed CONSTANT text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'eventcore');
    loaded text;
BEGIN
    IF 'eventcore' <> ALL (string_to_array(replace(replace(current_setting('shared_preload_libraries'), ' ', ''), '"', ''), ',')) THEN
        RETURN QUERY SELECT 'not_preloaded', 'shared_preload_libraries', 'the server has not loaded eventcore when it started: nothing works',
            format('ALTER SYSTEM SET shared_preload_libraries = %s', array_to_string(ARRAY(
                SELECT quote_literal(trim(l)) FROM regexp_split_to_table(current_setting('shared_preload_libraries'), ',') l
                 WHERE trim(l) <> '' UNION ALL SELECT '''eventcore'''), ', '));
        RETURN;
    END IF;
    loaded := eventcore.library_version();
    IF loaded <> installed THEN
        RETURN QUERY SELECT 'version', 'eventcore',
            format('the library is %s and the objects in this database are %s', loaded, installed), 'ALTER EXTENSION eventcore UPDATE';
    END IF;
END
$$;
COMMENT ON FUNCTION eventcore.check_library() IS 'The findings of eventcore_check about the library.';

CREATE FUNCTION eventcore.check_tables() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH ours AS (
        SELECT c.* FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
         WHERE e.extname = 'eventcore' AND c.relkind = 'r'
    )
    SELECT 'unlogged', o.oid::regclass::text, 'a crash empties the table', format('ALTER TABLE %s SET LOGGED', o.oid::regclass)
      FROM ours o WHERE o.relpersistence <> 'p'
    UNION ALL
    SELECT 'row_security', o.oid::regclass::text, 'row security hides rows from our functions',
           format('ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', o.oid::regclass)
      FROM ours o WHERE (o.relrowsecurity OR o.relforcerowsecurity) AND o.relname NOT IN ('projections', 'projection_parked')
    UNION ALL
    -- These two are meant to have it: it keeps roles from locking projections of others.
    SELECT 'row_security', o.oid::regclass::text, 'row security is switched off, so that roles can lock projections of others',
           format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', o.oid::regclass)
      FROM ours o WHERE NOT o.relrowsecurity AND o.relname IN ('projections', 'projection_parked')
    UNION ALL
    SELECT 'inherits', i.inhrelid::regclass::text, format('the table inherits from %s', i.inhparent::regclass),
           format('ALTER TABLE %s NO INHERIT %s', i.inhrelid::regclass, i.inhparent::regclass)
      FROM pg_inherits i WHERE i.inhparent IN (SELECT o.oid FROM ours o) OR i.inhrelid IN (SELECT o.oid FROM ours o)
    UNION ALL
    SELECT 'rule', r.ev_class::regclass::text, format('the rule %I rewrites statements', r.rulename),
           format('DROP RULE %I ON %s', r.rulename, r.ev_class::regclass)
      FROM pg_rewrite r WHERE r.ev_class IN (SELECT o.oid FROM ours o)
    UNION ALL
    SELECT 'constraint', k.conrelid::regclass::text, format('appends pass by the constraint %I', k.conname),
           format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname)
      FROM pg_constraint k WHERE k.conrelid = 'eventcore.events'::regclass AND k.contype NOT IN ('p', 'u', 'n')
    UNION ALL
    SELECT 'missing_trigger', 'eventcore.' || x.table_name, format('the trigger %I is missing', x.trigger_name),
           format('CREATE TRIGGER %I %s;%s', x.trigger_name, x.definition,
                  CASE x.enabled WHEN 'A' THEN format(' ALTER TABLE eventcore.%I ENABLE ALWAYS TRIGGER %I', x.table_name, x.trigger_name) ELSE '' END)
      FROM eventcore.expected_triggers x
     WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name)
    UNION ALL
    SELECT 'disabled_trigger', 'eventcore.' || x.table_name,
           format('the trigger %I is %s', x.trigger_name, CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled for replicas only'
                  WHEN 'A' THEN 'enabled for replicas too' ELSE 'not enabled for replicas' END),
           format('ALTER TABLE eventcore.%I ENABLE TRIGGER %I', x.table_name, x.trigger_name)
      FROM eventcore.expected_triggers x
      JOIN pg_trigger t ON t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name
     WHERE t.tgenabled <> x.enabled
    UNION ALL
    SELECT 'foreign_trigger', t.tgrelid::regclass::text, format('the trigger %I is not one of ours', t.tgname),
           format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
      FROM pg_trigger t WHERE t.tgrelid IN (SELECT o.oid FROM ours o) AND NOT t.tgisinternal
       AND NOT EXISTS (SELECT FROM eventcore.expected_triggers x
                        WHERE t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name)
    UNION ALL
    SELECT 'missing_index', 'eventcore.' || x.table_name, format('the index %I is missing', x.index_name),
           CASE WHEN x.is_constraint THEN format('ALTER TABLE eventcore.%I ADD CONSTRAINT %I %s', x.table_name, x.index_name, x.definition)
                ELSE format('CREATE INDEX %I ON eventcore.%I %s', x.index_name, x.table_name, x.definition) END
      FROM eventcore.expected_indexes x WHERE to_regclass('eventcore.' || x.index_name) IS NULL
    UNION ALL
    SELECT 'invalid_index', i.indrelid::regclass::text, format('the index %s is not valid', i.indexrelid::regclass),
           format('REINDEX INDEX %s', i.indexrelid::regclass)
      FROM pg_index i WHERE i.indrelid IN (SELECT o.oid FROM ours o) AND NOT (i.indisvalid AND i.indisready AND i.indislive);
$$;
COMMENT ON FUNCTION eventcore.check_tables() IS 'The findings of eventcore_check about tables, their triggers and indexes.';

CREATE FUNCTION eventcore.check_rows() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH base AS (
        SELECT coalesce((SELECT max(e.position) FROM eventcore.events e), 0) AS last_event,
               (SELECT CASE WHEN b.is_called THEN b.last_value + 1023 ELSE 0 END FROM eventcore.position_blocks b) AS reserved
    ), reached AS (
        SELECT 'subscription' AS kind, s.name, s.read_position AS position,
               format('UPDATE eventcore.subscriptions SET read_position = %%s WHERE name = %L', s.name) AS repair FROM eventcore.subscriptions s
         UNION ALL
        SELECT 'checkpoint', c.projection, c.position,
               format('UPDATE eventcore.checkpoints SET position = %%s WHERE projection = %L', c.projection) FROM eventcore.checkpoints c
         UNION ALL
        SELECT 'projection', p.name, greatest(p.checkpoint, p.singly_until),
               format('UPDATE eventcore.projections SET checkpoint = least(checkpoint, %%1$s), singly_until = least(singly_until, %%1$s) WHERE name = %L', p.name)
          FROM eventcore.projections p
    ), judged AS (
        -- A fail-over leaves 2^32 positions out: nothing gets this far ahead of the last event by itself.
        SELECT r.*, r.position > b.last_event + 281474976710656 AS is_implausible, b.last_event FROM reached r, base b
    ), known AS (
        SELECT greatest(b.last_event, (SELECT max(j.position) FROM judged j WHERE NOT j.is_implausible)) AS highest, b.reserved FROM base b
    ), replicating AS (
        SELECT FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
         WHERE s.subenabled AND r.srrelid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'eventcore'::regnamespace)
    ), home AS (
        -- Not eventcore.home_id(), which wants all tables and indexes to be there.
        SELECT h.last_value AS id FROM eventcore.home_id h
    )
    SELECT 'positions_behind', 'eventcore.position_blocks',
           format('positions up to %s are in use, and those up to %s are known to be', k.highest, k.reserved),
           format('SELECT setval(''eventcore.position_blocks'', %s)', k.highest - (k.highest - 1) % 1024)
      FROM known k WHERE k.highest > k.reserved
    UNION ALL
    SELECT 'implausible_position', j.kind || ' ' || j.name,
           format('it is at position %s, and the last event has position %s', j.position, j.last_event),
           format(j.repair, j.last_event)
      FROM judged j WHERE j.is_implausible
    UNION ALL
    SELECT 'copy', v.kind || ' ' || v.name, 'it belongs to another database, and nothing brings changes from there',
           'SELECT * FROM ' || eventcore.public_name('eventcore_adopt_copies') || '()'
      FROM (SELECT 'subscription' AS kind, s.name, s.home_id FROM eventcore.subscriptions s
             UNION ALL SELECT 'checkpoint', c.projection, c.home_id FROM eventcore.checkpoints c
             UNION ALL SELECT 'projection', p.name, p.home_id FROM eventcore.projections p) v, home
     WHERE v.home_id <> home.id AND NOT EXISTS (SELECT FROM replicating)
    UNION ALL
    SELECT 'owner_missing', 'projection ' || p.name, format('its owner, the role "%s", does not exist; with a new owner it stays paused until eventcore_resume_projection', p.owner_name),
           -- The owner of its functions, who gains nothing by it: any other role would lend its rights to the author of the handler.
           coalesce((SELECT format('SELECT %s(%L, %L)', eventcore.public_name('eventcore_set_projection_owner'), p.name, r.rolname)
                       FROM pg_proc f JOIN pg_roles r ON r.oid = f.proowner
                      WHERE f.oid = eventcore.find_function(p.handler) AND r.rolcanlogin
                        AND (p.reset IS NULL OR EXISTS (SELECT FROM pg_proc e WHERE e.oid = eventcore.find_function(p.reset) AND e.proowner = r.oid))),
                    format('SELECT %s(%L)', eventcore.public_name('eventcore_drop_projection'), p.name))
      FROM eventcore.projections p, home
     WHERE p.home_id = home.id AND p.mode = 'async' AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = p.owner)
    UNION ALL
    SELECT 'owner_renamed', 'projection ' || p.name, format('its owner is "%s" now, and a dump would name "%s"', r.rolname, p.owner_name),
           format('UPDATE eventcore.projections SET owner_name = %L WHERE name = %L', r.rolname, p.name)
      FROM home, eventcore.projections p JOIN pg_roles r ON r.oid = p.owner
     WHERE p.home_id = home.id AND r.rolname <> p.owner_name
    UNION ALL
    SELECT 'function_missing', 'projection ' || p.name, format('there is no function %s', f), NULL
      FROM eventcore.projections p CROSS JOIN unnest(ARRAY[p.handler, p.reset]) f WHERE eventcore.find_function(f) IS NULL AND f IS NOT NULL
    UNION ALL
    SELECT 'function_missing', 'command ' || c.name, format('there is no function %s', f), NULL
      FROM eventcore.commands c CROSS JOIN unnest(ARRAY[c.apply, c.handle, c.related_streams, c.streams_function, c.combine]) f
     WHERE eventcore.find_function(f) IS NULL AND f IS NOT NULL
    UNION ALL
    SELECT 'table_replaced', 'projection ' || p.name,
           format('%s is not the table that it was at checkpoint %s: events up to there may be missing in it', t.name, p.checkpoint),
           format('SELECT %s(%L)', eventcore.public_name('eventcore_rebuild_projection'), p.name)
      FROM home, eventcore.projections p CROSS JOIN LATERAL unnest(p.tables, p.table_ids) AS t (name, id)
     WHERE p.home_id = home.id AND p.rebuilds IS NULL AND eventcore.find_table(t.name)::oid <> coalesce(t.id, 0)
    UNION ALL
    SELECT 'table_missing', 'projection ' || p.name, format('there is no table %s', t.name), NULL
      FROM home, eventcore.projections p CROSS JOIN unnest(p.tables) t (name)
     WHERE p.home_id = home.id AND eventcore.find_table(t.name) IS NULL
    UNION ALL
    SELECT 'orphans', 'eventcore.deliveries', format('%s rows belong to no subscription', count(*)), 'SELECT eventcore.sweep()'
      FROM eventcore.deliveries d WHERE NOT EXISTS (SELECT FROM eventcore.subscriptions s WHERE s.id = d.subscription_id)
       AND NOT EXISTS (SELECT FROM replicating)
    HAVING count(*) > 0;
$$;
COMMENT ON FUNCTION eventcore.check_rows() IS 'The findings of eventcore_check about positions, copies, owners, functions and tables of projections.';

CREATE FUNCTION eventcore.check_events() RETURNS TABLE (finding text, object text, detail text, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'version_gap', 'stream ' || e.stream_id, format('%s events have the versions %s to %s', count(*), min(e.version), max(e.version)), NULL
      FROM eventcore.events e GROUP BY e.stream_id HAVING count(*) <> max(e.version) - min(e.version) + 1
    UNION ALL
    SELECT 'malformed', 'position ' || e.position, 'no append writes such an event', NULL
      FROM eventcore.events e
     WHERE e.position < 1 OR e.version < 1 OR jsonb_typeof(e.payload) = 'null' OR jsonb_typeof(e.metadata) <> 'object'
        OR octet_length(e.stream_id) NOT BETWEEN 1 AND 255 OR octet_length(e.event_type) NOT BETWEEN 1 AND 255;
$$;
COMMENT ON FUNCTION eventcore.check_events() IS 'The findings of eventcore_check about every single event.';

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
