SELECT p.name,
       format('it is at most %s events and %s s behind', p.lag_events, round(p.lag_seconds)),
       NULL::text
  FROM eventcore.stat_projections p
 WHERE p.status = 'running' AND p.waits_for IS NULL AND p.lag_seconds > 300
