-- Of a projection worker: the projections that wait for it. Of a process that is blocked now: the process that blocks it.
SELECT format('%s%s', w.kind, ' of ' || w.owner),
       format('%s has failed %s times, the last time %s s ago%s: %s (%s)%s%s',
              CASE w.kind WHEN 'projections' THEN format('the worker that runs projections of %s', w.owner) ELSE 'the ' || w.kind END,
              w.failures, round(extract(epoch FROM clock_timestamp() - w.last_error_at)),
              CASE WHEN w.projection IS NOT NULL THEN format(', while it ran projection %s', w.projection) END,
              w.last_error, w.last_sqlstate,
              CASE WHEN w.pid IS NULL THEN format('; it has ended, after it started at %s', w.since) ELSE format('; it has run as process %s since %s', w.pid, w.since) END,
              '; these projections wait for it: ' || (SELECT string_agg(format('%s (at most %s events)', p.name, p.lag_events), ', ' ORDER BY p.name)
                 FROM eventcore.stat_projections p
                WHERE w.kind = 'projections' AND p.owner = w.owner AND p.mode = 'async' AND p.status = 'running' AND p.lag_events > 0)),
       CASE WHEN b.pid IS NOT NULL THEN format('SELECT pg_terminate_backend(%s)', b.pid)
            WHEN w.owner IS NULL THEN NULL
            WHEN w.last_sqlstate = '28000' THEN format('ALTER ROLE %I LOGIN', w.owner)
            WHEN w.last_sqlstate = '53300' AND r.rolconnlimit >= 0 THEN format('ALTER ROLE %I CONNECTION LIMIT -1', w.owner)
            WHEN w.last_sqlstate = '53300' AND d.datconnlimit >= 0 THEN format('ALTER DATABASE %I CONNECTION LIMIT -1', d.datname)
            WHEN w.last_sqlstate = '42501' AND NOT has_database_privilege(r.oid, d.oid, 'CONNECT') THEN format('GRANT CONNECT ON DATABASE %I TO %I', d.datname, w.owner)
            WHEN w.last_sqlstate = '42501' AND NOT pg_has_role(r.oid, 'eventcore_projector', 'USAGE') THEN format('GRANT eventcore_projector TO %I', w.owner)
       END,
       CASE WHEN b.pid IS NOT NULL THEN format('Process %s keeps a lock that it waits for: %s', b.pid, b.query)
            WHEN w.last_sqlstate = '55P03' THEN 'A session kept a lock that it needs: look for it in pg_locks. It tries again by itself.'
            WHEN w.last_error LIKE '%notification%' THEN 'A session listens and does not read: the server''s log names it. End it.'
       END AS action
  FROM eventcore.stat_workers w
  JOIN pg_database d ON d.datname = current_database()
  LEFT JOIN pg_roles r ON r.rolname = w.owner
  LEFT JOIN LATERAL (SELECT a.pid, coalesce(a.query, 'its statement is not visible') AS query
                       FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(w.pid)) ORDER BY a.xact_start LIMIT 1) b ON true
 WHERE w.failures > 0 AND w.last_error_at > clock_timestamp() - interval '10 min'
