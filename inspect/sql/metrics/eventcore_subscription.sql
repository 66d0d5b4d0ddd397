SELECT current_database()::text AS datname,
       s.name::text AS subscription,
       s.lag_events::double precision AS lag_events,
       s.lag_seconds,
       s.checkpoint::double precision AS checkpoint,
       s.leased::double precision AS leased_events,
       s.leases::double precision AS leases,
       s.expired_leases::double precision AS expired_leases,
       s.consumers::double precision AS consumers,
       s.waiting::double precision AS waiting_events,
       s.retrying::double precision AS retrying_events,
       s.streams_behind::double precision AS streams_behind,
       s.streams_stopped::double precision AS streams_stopped,
       s.parked::double precision AS parked_events,
       s.paused::integer::double precision AS paused,
       extract(epoch FROM s.last_error_at)::double precision AS last_error_time_seconds
  FROM eventcore.stat_subscriptions s
 WHERE NOT s.is_copy
