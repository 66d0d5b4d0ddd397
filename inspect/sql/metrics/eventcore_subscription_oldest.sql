SELECT current_database()::text AS datname,
       s.name::text AS subscription,
       coalesce(extract(epoch FROM clock_timestamp() - s.oldest_parked_at), 0)::double precision AS parked_seconds,
       coalesce(extract(epoch FROM clock_timestamp() - s.oldest_expired_at), 0)::double precision AS expired_lease_seconds
  FROM eventcore.stat_subscriptions s
 WHERE NOT s.is_copy
