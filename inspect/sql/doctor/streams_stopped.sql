SELECT s.name,
       format('%s streams are stopped until their parked events are replayed or discarded', s.streams_stopped),
       format('SELECT eventcore_replay_parked(%L)', s.name)
  FROM eventcore.stat_subscriptions s
 WHERE s.streams_stopped > 0
