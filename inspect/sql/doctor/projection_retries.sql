SELECT p.name,
       format('an event has failed %s times and is tried again at %s: %s (%s)', p.attempts, p.retry_at, p.last_error, p.last_sqlstate),
       NULL::text
  FROM eventcore.stat_projections p
 WHERE p.waits_for = 'retry'
