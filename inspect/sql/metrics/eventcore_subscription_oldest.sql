SELECT current_database()::text AS datname,
       s.name::text AS subscription,
       coalesce(extract(epoch FROM clock_timestamp() - (SELECT min(k.parked_at) FROM eventcore.parked k WHERE k.subscription_id = s.id)), 0)::double precision AS parked_seconds,
       greatest(coalesce(extract(epoch FROM clock_timestamp() - (SELECT min(l.leased_until) FROM eventcore.leases l
           WHERE l.subscription_id = s.id AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id))), 0), 0)::double precision AS expired_lease_seconds
  FROM eventcore.subscriptions s
 WHERE s.home_id = eventcore.home_id()
