SELECT a.usename::text,
       format('%s sessions of applications are logged in as superuser %s', count(*), a.usename),
       NULL::text
  FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename
 WHERE r.rolsuper AND a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND a.application_name NOT IN ('psql', 'pg_dump', 'pg_restore') AND a.application_name NOT LIKE 'eventcore%'
 GROUP BY a.usename
