SELECT current_database()::text AS datname,
       a.appends::double precision AS appends_total,
       a.events::double precision AS events_total,
       a.conflicts::double precision AS conflicts_total,
       a.repeats::double precision AS repeats_total,
       a.rolled_back::double precision AS rolled_back_total,
       extract(epoch FROM a.since)::double precision AS counters_start_time_seconds
  FROM eventcore.stat_appends a
