-- The launcher, a notifier, the projections, and one that PostgreSQL needs for itself.
SELECT 'max_worker_processes',
       format('max_worker_processes is %s, and the launcher, a notifier and %s workers of projections need %s',
              m.setting, p.setting, p.setting::integer + 3),
       format('ALTER SYSTEM SET max_worker_processes = %s', greatest(2 * m.setting::integer, p.setting::integer + 8))
  FROM pg_settings m, pg_settings p
 WHERE m.name = 'max_worker_processes' AND p.name = 'eventcore.projection_workers'
   AND m.setting::integer < p.setting::integer + 3
