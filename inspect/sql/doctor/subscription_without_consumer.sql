SELECT s.name,
       format('no consumer has its events, and the oldest has waited %s s%s', round(s.lag_seconds),
              CASE WHEN s.lag_seconds <= 60 THEN ', not yet a problem; from 60 s on it is a warning' END),
       NULL::text,
       CASE WHEN s.lag_seconds <= 60 THEN 'note' END AS severity
  FROM eventcore.stat_subscriptions s
 WHERE s.leases = 0 AND s.waiting = 0 AND s.lag_seconds > 5 AND NOT s.paused AND NOT s.is_copy
