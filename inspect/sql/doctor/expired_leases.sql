SELECT s.name,
       format('consumer %s had a lease until %s, and no poll has taken its %s events back%s', l.consumer, l.leased_until, l.events,
              CASE WHEN l.is_new THEN ', not yet a problem; 10 s after its end it is a warning' ELSE ': no consumer is left' END),
       NULL::text,
       CASE WHEN l.is_new THEN 'note' END AS severity
  FROM eventcore.subscriptions s
 CROSS JOIN LATERAL (
       SELECT v.consumer, v.leased_until, v.leased_until >= clock_timestamp() - interval '10 s' AS is_new,
              (SELECT coalesce(sum(coalesce(cardinality(d.positions), 1)), 0)
                      - (SELECT count(*) FROM eventcore.acknowledged a WHERE a.subscription_id = s.id AND a.lease_id = v.lease_id)
                 FROM eventcore.deliveries d WHERE d.lease_id = v.lease_id) AS events
         FROM eventcore.leases v WHERE v.subscription_id = s.id AND v.leased_until < clock_timestamp()) l
 WHERE NOT s.paused AND l.events > 0
