SELECT current_database()::text AS datname,
       (count(*) FILTER (WHERE i.holder = 'transaction'))::double precision AS transactions,
       coalesce(max(i.age_seconds) FILTER (WHERE i.holder = 'transaction'), 0)::double precision AS oldest_seconds,
       coalesce(max(i.age_seconds) FILTER (WHERE i.holds_safe_position), 0)::double precision AS held_seconds,
       (count(*) FILTER (WHERE i.holder = 'standby'))::double precision AS unconfirmed
  FROM eventcore.stat_inflight i
