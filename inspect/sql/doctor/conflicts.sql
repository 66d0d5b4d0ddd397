-- The totals, twice: half a second apart if there was a conflict within a twentieth of a second, so that only a hot stream
-- makes it wait. The newest events show which stream it is.
WITH one AS MATERIALIZED (SELECT a.conflicts, a.appends FROM eventcore.stat_appends a),
     glance AS MATERIALIZED (SELECT pg_sleep(0.05) IS NOT NULL AS done FROM one),
     two AS MATERIALIZED (SELECT a.conflicts FROM glance CROSS JOIN LATERAL (SELECT * FROM eventcore.stat_appends s WHERE glance.done OFFSET 0) a),
     look AS MATERIALIZED (SELECT pg_sleep(CASE WHEN two.conflicts > one.conflicts THEN 0.45 ELSE 0 END) IS NOT NULL AS done FROM one, two),
     three AS MATERIALIZED (SELECT a.conflicts, a.appends FROM look CROSS JOIN LATERAL (SELECT * FROM eventcore.stat_appends s WHERE look.done OFFSET 0) a),
     newest AS MATERIALIZED (SELECT v.stream_id FROM eventcore.events v ORDER BY v.position DESC LIMIT 100)
SELECT 'appends',
       format('%s appends were refused for a version conflict within half a second, and %s were made%s',
              three.conflicts - one.conflicts, three.appends - one.appends,
              (SELECT format('; %s of the last %s events are of the stream %s', count(*), (SELECT count(*) FROM newest), e.stream_id)
                 FROM newest e GROUP BY e.stream_id ORDER BY count(*) DESC LIMIT 1)),
       NULL::text
  FROM one, three
 WHERE three.conflicts - one.conflicts >= 3 AND three.conflicts - one.conflicts > (three.appends - one.appends) / 2
