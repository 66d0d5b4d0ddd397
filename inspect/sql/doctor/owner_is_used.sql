SELECT a.usename::text,
       format('%s sessions of applications are logged in as %s, who owns eventcore.events and can remove what protects it', count(*), a.usename),
       NULL::text
  FROM pg_stat_activity a
  JOIN pg_class c ON c.oid = 'eventcore.events'::regclass
  JOIN pg_roles r ON r.oid = c.relowner AND r.rolname = a.usename AND NOT r.rolsuper
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND a.application_name NOT IN ('psql', 'pg_dump', 'pg_restore') AND a.application_name NOT LIKE 'eventcore%'
 GROUP BY a.usename
