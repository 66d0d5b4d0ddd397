SELECT s.name,
       format('%s events were set aside; the last failure: %s', s.parked, s.last_error),
       format('SELECT eventcore_replay_parked(%L)', s.name)
  FROM eventcore.stat_subscriptions s
 WHERE s.parked > 0
