-- It comes back six seconds after the last statement that needs the database for itself.
SELECT 'notifier',
       CASE WHEN a.pid IS NULL THEN 'the notifier has left the database, because a statement wanted it for itself, and comes back within six seconds'
            ELSE format('the notifier has left the database, because process %s (%s, %s) wants it for itself: %s. Listeners hear nothing, and projections stand still',
                        a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'no application name'), a.query) END,
       'SELECT pg_terminate_backend(' || a.pid || ')'
  FROM eventcore.stat_notifier n
  LEFT JOIN pg_stat_activity a
         ON a.backend_type = 'client backend' AND a.query ~* '^\s*(create|alter|drop)\s+database' AND a.pid <> pg_backend_pid()
        AND strpos(a.query, current_database()) > 0
 WHERE n.state = 'away'
