-- conflicts.sql for a role that sees no stream: the totals alone.
WITH one AS MATERIALIZED (SELECT a.conflicts, a.appends FROM eventcore.stat_appends a),
     glance AS MATERIALIZED (SELECT pg_sleep(0.05) IS NOT NULL AS done FROM one),
     two AS MATERIALIZED (SELECT a.conflicts FROM glance CROSS JOIN LATERAL (SELECT * FROM eventcore.stat_appends s WHERE glance.done OFFSET 0) a),
     look AS MATERIALIZED (SELECT pg_sleep(CASE WHEN two.conflicts > one.conflicts THEN 0.45 ELSE 0 END) IS NOT NULL AS done FROM one, two),
     three AS MATERIALIZED (SELECT a.conflicts, a.appends FROM look CROSS JOIN LATERAL (SELECT * FROM eventcore.stat_appends s WHERE look.done OFFSET 0) a)
SELECT 'appends',
       format('%s appends were refused for a version conflict within half a second, and %s were made',
              three.conflicts - one.conflicts, three.appends - one.appends),
       NULL::text
  FROM one, three
 WHERE three.conflicts - one.conflicts >= 3 AND three.conflicts - one.conflicts > (three.appends - one.appends) / 2
