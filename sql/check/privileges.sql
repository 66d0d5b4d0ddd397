-- The privileges on objects of the extension, and whether CREATE EXTENSION granted them.

CREATE VIEW eventcore.granted_privileges AS
WITH member AS (
    SELECT d.classid, d.objid
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
     WHERE e.extname = 'eventcore' AND d.deptype = 'e'
), object AS (
    SELECT m.classid, m.objid, 0 AS part, c.relowner AS owner, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
           coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
      FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION ALL
    SELECT m.classid, m.objid, a.attnum, c.relowner, 'COLUMN', a.attacl
      FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
     WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT m.classid, m.objid, 0, p.proowner, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
           coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
      FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    UNION ALL
    SELECT m.classid, m.objid, 0, n.nspowner, 'SCHEMA', coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
      FROM member m JOIN pg_catalog.pg_namespace n ON n.oid = m.objid WHERE m.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    UNION ALL
    SELECT m.classid, m.objid, 0, t.typowner, 'TYPE', coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))
      FROM member m JOIN pg_catalog.pg_type t ON t.oid = m.objid WHERE m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
       -- From PostgreSQL 17 on, the types of tables and of arrays are members too. Handlers take rows of tables; an array has the
       -- privileges of its elements.
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
)
SELECT o.kind,
       (pg_catalog.pg_identify_object(o.classid, o.objid, o.part)).identity AS object,
       a.grantee,
       n.name AS role,
       a.privilege_type AS privilege,
       a.is_grantable,
       CASE WHEN o.part > 0
            THEN pg_catalog.format('REVOKE %s (%I) ON TABLE %s FROM %s', a.privilege_type,
                                   (SELECT c.attname FROM pg_catalog.pg_attribute c WHERE c.attrelid = o.objid AND c.attnum = o.part),
                                   (pg_catalog.pg_identify_object(o.classid, o.objid, 0)).identity, n.name)
            ELSE pg_catalog.format('REVOKE %s ON %s %s FROM %s', a.privilege_type, o.kind,
                                   (pg_catalog.pg_identify_object(o.classid, o.objid, 0)).identity, n.name)
       END || CASE WHEN a.is_grantable THEN ' CASCADE' ELSE '' END AS revoke,
       -- What CREATE EXTENSION has granted to the roles of the extension. pg_dump uses the same catalog.
       coalesce(r.rolname IN ('eventcore_reader', 'eventcore_writer', 'eventcore_subscriber', 'eventcore_executor', 'eventcore_projector',
                               'eventcore_monitor')
                AND EXISTS (SELECT FROM pg_catalog.pg_init_privs i CROSS JOIN pg_catalog.aclexplode(i.initprivs) b
                             WHERE i.classoid = o.classid AND i.objoid = o.objid AND i.objsubid = o.part AND b.grantee = a.grantee
                               AND b.privilege_type = a.privilege_type AND (b.is_grantable OR NOT a.is_grantable)), false) AS as_created
  FROM object o
 CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 CROSS JOIN LATERAL (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS name) n
 WHERE a.grantee <> o.owner;
COMMENT ON VIEW eventcore.granted_privileges IS
    'The privileges of all roles except the owner on the objects of the extension. as_created is false if CREATE EXTENSION did not grant it.';
COMMENT ON COLUMN eventcore.granted_privileges.kind IS 'TABLE (views too), COLUMN, SEQUENCE, FUNCTION, PROCEDURE, SCHEMA or TYPE.';
COMMENT ON COLUMN eventcore.granted_privileges.object IS 'Its full name.';
COMMENT ON COLUMN eventcore.granted_privileges.grantee IS 'The role; 0: PUBLIC.';
COMMENT ON COLUMN eventcore.granted_privileges.role IS 'The name of the role, as GRANT takes it.';
COMMENT ON COLUMN eventcore.granted_privileges.privilege IS 'The privilege.';
COMMENT ON COLUMN eventcore.granted_privileges.is_grantable IS 'Whether the role may grant it to others.';
COMMENT ON COLUMN eventcore.granted_privileges.revoke IS 'The statement that revokes it.';
COMMENT ON COLUMN eventcore.granted_privileges.as_created IS
    'Whether CREATE EXTENSION granted it to this role. If not, it was granted later.';
