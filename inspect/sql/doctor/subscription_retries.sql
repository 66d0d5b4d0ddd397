-- The event of each subscription that has failed most often.
SELECT s.name,
       format('the event at position %s, of stream %s, has failed %s times, and is parked after %s; its stream waits for it. The last failure: %s',
              d.position, d.stream_id, d.failures, s.retry_limit + 1, coalesce(d.reason, 'no reason given')),
       NULL::text
  FROM eventcore.subscriptions s
 CROSS JOIN LATERAL (SELECT * FROM eventcore.deliveries d
                      WHERE d.subscription_id = s.id AND d.failures >= 3
                      ORDER BY d.failures DESC, d.position LIMIT 1) d
