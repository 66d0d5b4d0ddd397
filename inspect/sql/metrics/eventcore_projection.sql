SELECT current_database()::text AS datname,
       p.name::text AS projection,
       p.lag_events::double precision AS lag_events,
       p.lag_seconds,
       p.checkpoint::double precision AS checkpoint,
       p.attempts::double precision AS attempts,
       p.skipped::double precision AS skipped_total,
       p.parked::double precision AS parked_events,
       coalesce(extract(epoch FROM clock_timestamp() - p.oldest_parked_at), 0)::double precision AS oldest_parked_seconds,
       (p.worker_pid IS NOT NULL)::integer::double precision AS worker_running,
       (p.status = 'failed')::integer::double precision AS failed,
       (p.status = 'paused')::integer::double precision AS paused,
       coalesce(p.waits_for <> 'retry', false)::integer::double precision AS waits,
       extract(epoch FROM p.last_error_at)::double precision AS last_error_time_seconds
  FROM eventcore.stat_projections p
 WHERE p.status <> 'copy'
