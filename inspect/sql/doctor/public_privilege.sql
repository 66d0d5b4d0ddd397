SELECT format('%s %s', lower(g.kind), g.object), format('every role has %s', g.privilege), g.revoke
  FROM eventcore.granted_privileges g
 WHERE g.grantee = 0 AND NOT g.as_created
