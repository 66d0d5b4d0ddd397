SELECT s.name,
       format('its consumers are at most %s events and %s s behind', s.lag_events, round(s.lag_seconds)),
       NULL::text
  FROM eventcore.stat_subscriptions s
 WHERE (s.leases > 0 OR s.waiting > 0) AND s.lag_seconds > 300 AND NOT s.paused AND NOT s.is_copy
