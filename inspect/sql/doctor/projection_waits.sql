SELECT p.name,
       format('it does not run, and %s events wait: %s', p.lag_events, p.waits_for),
       CASE p.waits_for
            WHEN 'owner may not log in' THEN format('ALTER ROLE %I LOGIN', p.owner)
            WHEN 'owner may not connect' THEN format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), p.owner)
            WHEN 'owner lacks privileges' THEN format('GRANT eventcore_projector TO %I', p.owner)
            WHEN 'no free worker' THEN format('ALTER SYSTEM SET max_worker_processes = %s', 2 * current_setting('max_worker_processes')::integer)
            WHEN 'eventcore.projection_workers above 0' THEN 'ALTER SYSTEM SET eventcore.projection_workers = 2; SELECT pg_reload_conf()'
       END
  FROM eventcore.stat_projections p
 WHERE p.waits_for <> 'retry' AND p.lag_events > 0
