SELECT 'appends',
       format('%s appends were rolled back, and %s were committed, since %s', a.rolled_back, a.appends, a.since),
       NULL::text
  FROM eventcore.stat_appends a
 WHERE a.rolled_back > 100 AND a.rolled_back > a.appends / 20
