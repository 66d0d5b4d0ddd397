SELECT format('%s%s', w.kind, ' of ' || w.owner),
       format('it has failed %s times, last at %s: %s (%s)', w.failures, w.last_error_at, w.last_error, w.last_sqlstate),
       NULL::text
  FROM eventcore.stat_workers w
 WHERE w.failures > 0 AND w.last_error_at > clock_timestamp() - interval '10 min'
