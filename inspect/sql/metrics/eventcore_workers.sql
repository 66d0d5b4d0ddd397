SELECT current_database()::text AS datname,
       count(w.pid)::double precision AS running,
       coalesce(sum(w.failures), 0)::double precision AS failures_total,
       extract(epoch FROM max(w.last_error_at))::double precision AS last_error_time_seconds
  FROM eventcore.stat_workers w
