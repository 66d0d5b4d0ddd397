-- Reservations are made, and hardly one is refused, in the last second.
WITH before AS MATERIALIZED (SELECT * FROM eventcore.stat_appends),
     pause AS MATERIALIZED (SELECT pg_sleep(1) IS NOT NULL AS done FROM before),
     after AS MATERIALIZED (SELECT a.* FROM pause CROSS JOIN LATERAL (SELECT * FROM eventcore.stat_appends s WHERE pause.done OFFSET 0) a)
SELECT after.conflicts - before.conflicts < (after.appends - before.appends) / 10
       AND EXISTS (SELECT FROM eventcore.events e WHERE e.event_type = 'Reserved' AND e.stream_id <> 'stock')
  FROM before, after
