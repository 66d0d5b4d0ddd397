SELECT s.name,
       format('no consumer has its events, and the oldest has waited %s s', round(s.lag_seconds)),
       NULL::text
  FROM eventcore.stat_subscriptions s
 WHERE s.leases = 0 AND s.waiting = 0 AND s.lag_seconds > 60 AND NOT s.paused AND NOT s.is_copy
