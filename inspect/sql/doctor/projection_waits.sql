SELECT p.name,
       format('it does not run, and at most %s events wait: %s', p.lag_events, p.waits_for),
       CASE p.waits_for
            WHEN 'owner may not log in' THEN ARRAY[format('ALTER ROLE %I LOGIN', p.owner)]
            WHEN 'owner may not connect' THEN ARRAY[format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), p.owner)]
            WHEN 'owner lacks privileges' THEN ARRAY[format('GRANT eventcore_projector TO %I', p.owner)]
            WHEN 'no free worker' THEN ARRAY[format('ALTER SYSTEM SET max_worker_processes = %s',
                greatest(2 * current_setting('max_worker_processes')::integer, current_setting('eventcore.projection_workers')::integer + 8))]
            WHEN 'eventcore.projection_workers above 0' THEN ARRAY['ALTER SYSTEM SET eventcore.projection_workers = 2', 'SELECT pg_reload_conf()']
       END,
       CASE p.waits_for WHEN 'no free worker' THEN 'Then restart the server.'
                        WHEN 'no notifier' THEN 'See the findings about the notifier.'
                        WHEN 'exclusive use of the database' THEN 'See the findings about the notifier.' END AS action
  FROM eventcore.stat_projections p
 WHERE p.waits_for <> 'retry' AND p.lag_events > 0
