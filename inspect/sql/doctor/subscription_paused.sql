SELECT s.name,
       format('it is paused, and %s events wait', s.lag_events),
       format('SELECT eventcore_resume_subscription(%L)', s.name)
  FROM eventcore.stat_subscriptions s
 WHERE s.paused AND s.lag_events > 0
