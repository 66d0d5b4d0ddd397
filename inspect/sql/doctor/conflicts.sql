SELECT 'appends',
       format('%s appends were refused for a version conflict, and %s were made, since %s', a.conflicts, a.appends, a.since),
       NULL::text
  FROM eventcore.stat_appends a
 WHERE a.conflicts > 100 AND a.conflicts > a.appends / 2
