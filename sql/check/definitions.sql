-- Findings about definitions: columns of events, indexes, policies, triggers and their functions.

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
        -- SHA-256 of prosrc. A change of one of these functions, even of a comment in it, changes its line here. A fresh database
        -- has no findings.
        ('refuse_change', '6da22c306366649d686f8fa47321e1f036afe53b43c3a72da5b5e09e03b23011'),
        ('settle', '8f5aae4463d430ffce2c9bdf63f750effc825815514faea0b3dcf0fb4bf1b76a'),
        ('settle_projection', '8eb8233b69709484046856b71e74c85a48f85cf5ad7cb247475bb47dc2ff6613'),
        ('guard_projection', '485a96409935eb88ad70fe0082a3408568dbf07ec0786d0b889442b1a7ed0005'),
        ('guard_projection_parked', '057d8cbc9604255c57d075933336369a7b28e4e094cf9564201f4a529ec6de6f'),
        ('announce_projections', '4ee8a37b0c8a104eceb2ce7a954c4e24251459f5f043af8d40c4873d2e307a4c'),
        ('before_insert', 'de76691c2ed4ec290023480b93bc2b9077a283b93d8f6311225a60f4d0a36b54')
    )
    SELECT 'column_missing', 'eventcore.events', format('the column %I was dropped: appends are refused', f.name), NULL
      FROM found f WHERE f.name IS NOT NULL AND coalesce(f.attisdropped, true)
    UNION ALL
    SELECT 'column_added', 'eventcore.events', format('the column %I does not belong to eventcore: appends are refused', f.attname),
           format('ALTER TABLE eventcore.events DROP COLUMN %I', f.attname)
      FROM found f WHERE f.name IS NULL AND NOT f.attisdropped
    UNION ALL
    SELECT 'column_renamed', 'eventcore.events', format('the column %I is called %I', f.name, f.attname),
           format('ALTER TABLE eventcore.events RENAME COLUMN %I TO %I', f.attname, f.name)
      FROM found f WHERE NOT f.attisdropped AND f.name <> f.attname
    UNION ALL
    SELECT 'column_type', 'eventcore.events', format('the column %I has the type %s: appends are refused', f.attname, f.has_type),
           -- For other types the original values are unknown.
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
    SELECT 'foreign_index', 'eventcore.events', format('the unique index %s does not belong to eventcore', i.indexrelid::regclass),
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
    SELECT 'missing_policy', 'eventcore.' || y.table_name, format('the policy %I is missing or differs', y.name),
           format('%sCREATE POLICY %I ON eventcore.%I %s', CASE WHEN h.oid IS NULL THEN '' ELSE format('DROP POLICY %I ON eventcore.%I; ', y.name, y.table_name) END,
                  y.name, y.table_name, y.definition)
      FROM policy y LEFT JOIN pg_policy h ON h.polrelid = to_regclass('eventcore.' || y.table_name) AND h.polname = y.name
     WHERE h.oid IS NULL OR h.polcmd <> y.command::"char" OR NOT h.polpermissive OR h.polroles <> '{0}'
        OR (pg_get_expr(h.polqual, h.polrelid) LIKE y.qualification) IS FALSE
        OR (y.command <> 'r' AND pg_get_expr(h.polwithcheck, h.polrelid) IS DISTINCT FROM 'true')
    UNION ALL
    SELECT 'foreign_policy', h.polrelid::regclass::text, format('the policy %I does not belong to eventcore', h.polname),
           format('DROP POLICY %I ON %s', h.polname, h.polrelid::regclass)
      FROM pg_policy h JOIN pg_class c ON c.oid = h.polrelid
     WHERE c.relnamespace = 'eventcore'::regnamespace
       AND NOT EXISTS (SELECT FROM policy y WHERE to_regclass('eventcore.' || y.table_name) = h.polrelid AND y.name = h.polname)
    UNION ALL
    SELECT 'wrong_trigger', 'eventcore.' || x.table_name, format('the trigger %I differs from that of eventcore', x.trigger_name),
           format('DROP TRIGGER %1$I ON eventcore.%2$I; CREATE TRIGGER %1$I %3$s%4$s', x.trigger_name, x.table_name, x.definition,
                  CASE x.enabled WHEN 'A' THEN format('; ALTER TABLE eventcore.%I ENABLE ALWAYS TRIGGER %I', x.table_name, x.trigger_name) ELSE '' END)
      FROM eventcore.expected_triggers x
      JOIN pg_trigger t ON t.tgrelid = to_regclass('eventcore.' || x.table_name) AND t.tgname = x.trigger_name
      JOIN pg_proc f ON f.oid = t.tgfoid
     WHERE f.pronamespace <> 'eventcore'::regnamespace OR t.tgqual IS NOT NULL OR t.tgnargs > 0
        OR right(x.definition, length(f.proname) + 13) <> format(' eventcore.%s()', f.proname)
    UNION ALL
    -- Only another CREATE EXTENSION restores it.
    SELECT 'replaced_function', format('eventcore.%s()', b.name), 'the function of a trigger is not the one that CREATE EXTENSION made', NULL
      FROM body b LEFT JOIN pg_proc f ON f.pronamespace = 'eventcore'::regnamespace AND f.proname = b.name AND f.pronargs = 0
     -- Not md5, which a server may refuse (FIPS).
     WHERE encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex') IS DISTINCT FROM b.hash;
$$;
COMMENT ON FUNCTION eventcore.check_definitions() IS
    'The findings of eventcore_check about columns, constraints and policies that were altered, and triggers that were replaced.';
