SELECT p.name,
       format('it is paused, and %s events wait', p.lag_events),
       format('SELECT eventcore_resume_projection(%L)', p.name)
  FROM eventcore.stat_projections p
 WHERE p.status = 'paused' AND p.lag_events > 0
