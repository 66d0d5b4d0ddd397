SELECT s.name,
       format('consumer %s had a lease until %s, and no poll has taken its %s events back: no consumer is left', l.consumer, l.leased_until,
              (SELECT count(*) FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id)),
       NULL::text
  FROM eventcore.subscriptions s JOIN eventcore.leases l ON l.subscription_id = s.id
 WHERE l.leased_until < clock_timestamp() - interval '10 s' AND NOT s.paused
   AND EXISTS (SELECT FROM eventcore.deliveries d WHERE d.lease_id = l.lease_id)
