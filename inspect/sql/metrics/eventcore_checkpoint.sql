SELECT current_database()::text AS datname,
       c.projection::text AS projection,
       c.position::double precision AS position,
       extract(epoch FROM c.changed_at)::double precision AS changed_time_seconds
  FROM eventcore.checkpoints c
 WHERE c.home_id = eventcore.home_id()
