SELECT format('%s %s', lower(g.kind), g.object), format('%s has %s, which CREATE EXTENSION did not grant', g.role, g.privilege), g.revoke
  FROM eventcore.granted_privileges g
 WHERE g.grantee <> 0 AND NOT g.as_created
