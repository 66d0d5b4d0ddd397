SELECT p.name,
       'the rebuild has caught up and does not end: a transaction keeps the lock of the projection',
       NULL::text
  FROM eventcore.stat_projections p
 WHERE p.rebuilds IS NOT NULL AND p.status = 'running' AND p.lag_events = 0 AND p.created_at < clock_timestamp() - interval '10 min'
