SELECT p.name,
       format('%s events were set aside; the last failure: %s (%s)', p.parked, p.last_error, p.last_sqlstate),
       format('SELECT eventcore_replay_projection_parked(%L)', p.name)
  FROM eventcore.stat_projections p
 WHERE p.parked > 0
