-- Findings about tables, their triggers and their indexes.

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
    SELECT 'row_security', o.oid::regclass::text, 'row security hides rows from functions of eventcore',
           format('ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', o.oid::regclass)
      FROM ours o WHERE (o.relrowsecurity OR o.relforcerowsecurity) AND o.relname NOT IN ('projections', 'projection_parked')
    UNION ALL
    -- These two tables need it: it keeps roles from locking projections of others.
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
    SELECT 'constraint', k.conrelid::regclass::text, format('appends do not check the constraint %I', k.conname),
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
    SELECT 'foreign_trigger', t.tgrelid::regclass::text, format('the trigger %I does not belong to eventcore', t.tgname),
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
