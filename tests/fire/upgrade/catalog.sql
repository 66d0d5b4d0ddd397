-- Everything that CREATE EXTENSION makes, one line for each thing, without OIDs. An updated database
-- has the same lines as a fresh one.

SET search_path = pg_catalog;
SET quote_all_identifiers = off;

CREATE TEMPORARY VIEW members AS
    SELECT d.classid, d.objid FROM pg_depend d
     WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
       AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'eventcore');
CREATE TEMPORARY VIEW relations AS
    SELECT c.* FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

CREATE FUNCTION pg_temp.granted(acl aclitem[], kind "char", owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s=%s%s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                             a.privilege_type, CASE WHEN a.is_grantable THEN '*' END), ',' ORDER BY a.grantee, a.privilege_type)
      FROM aclexplode(coalesce(acl, acldefault(kind, owner))) a
$$;

SELECT replace(line, E'\n', ' ') FROM (
    SELECT format('member %s', pg_describe_object(classid, objid, 0)) FROM members
    UNION ALL
    SELECT format('dumped %s: %s', t.name, t.condition)
      FROM pg_extension e, unnest(e.extconfig::regclass[], e.extcondition) AS t (name, condition) WHERE e.extname = 'eventcore'
    UNION ALL
    SELECT format('extension: schema %s, relocatable %s', extnamespace::regnamespace, extrelocatable)
      FROM pg_extension WHERE extname = 'eventcore'
    UNION ALL
    SELECT format('schema %s: %s: %s', n.nspname, pg_temp.granted(n.nspacl, 'n', n.nspowner), obj_description(n.oid, 'pg_namespace'))
      FROM pg_namespace n JOIN members m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
    UNION ALL
    SELECT format('routine %s: %s: %s: %s', p.oid::regprocedure, pg_temp.granted(p.proacl, 'f', p.proowner),
                  obj_description(p.oid, 'pg_proc'), pg_get_functiondef(p.oid))
      FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    UNION ALL
    SELECT format('relation %s: %s', c.oid::regclass,
                  json_build_array(c.relkind, c.relpersistence, c.reloptions, a.amname, c.relrowsecurity, c.relforcerowsecurity,
                                   c.relreplident, c.relhasrules, obj_description(c.oid, 'pg_class'),
                                   pg_temp.granted(c.relacl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)))
      FROM relations c LEFT JOIN pg_am a ON a.oid = c.relam
    UNION ALL
    SELECT format('column %s %s %s: %s', c.oid::regclass, a.attnum, a.attname,
                  json_build_array(CASE WHEN a.atttypid <> 0 THEN format_type(a.atttypid, a.atttypmod) END,
                                   CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation::text END,
                                   a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attstattarget,
                                   -- A server may keep a number of its own there, which differs in each table.
                                   ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'),
                                   pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum),
                                   CASE WHEN a.attacl IS NOT NULL THEN pg_temp.granted(a.attacl, 'c', c.relowner) END))
      FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT format('view %s: %s', c.oid::regclass, pg_get_viewdef(c.oid)) FROM relations c WHERE c.relkind IN ('v', 'm')
    UNION ALL
    SELECT format('sequence %s: %s', s.seqrelid::regclass, to_jsonb(s) - 'seqrelid' - 'seqtypid') FROM pg_sequence s
      JOIN relations c ON c.oid = s.seqrelid
    UNION ALL
    SELECT format('constraint %s of %s: %s: %s', k.conname, c.oid::regclass, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'))
      FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
    UNION ALL
    SELECT format('index %s: %s', pg_get_indexdef(i.indexrelid), json_build_array(i.indisvalid, i.indisprimary, i.indisreplident, i.indisclustered))
      FROM relations c JOIN pg_index i ON i.indrelid = c.oid
    UNION ALL
    SELECT format('trigger %s: %s: %s', t.tgenabled, pg_get_triggerdef(t.oid), obj_description(t.oid, 'pg_trigger'))
      FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('policy %s of %s: %s', y.polname, c.oid::regclass,
                  json_build_array(y.polcmd, y.polpermissive, y.polroles, pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid)))
      FROM relations c JOIN pg_policy y ON y.polrelid = c.oid
    UNION ALL
    SELECT format('type %s: %s: %s', t.oid::regtype, obj_description(t.oid, 'pg_type'), pg_temp.granted(t.typacl, 'T', t.typowner))
      FROM pg_type t WHERE t.typnamespace = 'eventcore'::regnamespace
    UNION ALL
    SELECT format('role %s in %s', member::regrole, roleid::regrole) FROM pg_auth_members
     WHERE roleid::regrole::text LIKE 'eventcore%' OR member::regrole::text LIKE 'eventcore%'
) AS all_lines (line) ORDER BY line COLLATE "C";
