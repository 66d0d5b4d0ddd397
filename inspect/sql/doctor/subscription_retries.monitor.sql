-- subscription_retries.sql for a role that sees no stream.
SELECT s.name,
       format('%s events have failed and are delivered again, each until it has failed %s times. The last failure: %s',
              s.retrying, s.retry_limit + 1, coalesce(s.last_error, 'no reason given')),
       NULL::text
  FROM eventcore.stat_subscriptions s
 WHERE s.retrying > 0
