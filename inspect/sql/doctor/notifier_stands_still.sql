-- A notifier is there within a second of the first append, unless no background worker is free.
SELECT 'notifier',
       CASE n.state WHEN 'starting' THEN format('no notifier runs, although there were appends: no background worker of max_worker_processes = %s is free%s', m.setting, o.others)
                    ELSE format('appends have ended since %s that the notifier has not seen', n.last_notified_at) END,
       CASE n.state WHEN 'starting' THEN format('ALTER SYSTEM SET max_worker_processes = %s', greatest(2 * m.setting::integer, p.setting::integer + 8)) END,
       CASE n.state WHEN 'starting' THEN 'Then restart the server.' END AS action
  FROM eventcore.stat_notifier n, pg_settings m, pg_settings p,
       (SELECT ', because of the processes of ' || string_agg(DISTINCT a.datname, ', ') AS others FROM pg_stat_activity a
         WHERE a.backend_type IN ('eventcore notifier', 'eventcore projection worker') AND a.datname <> current_database()) o
 WHERE m.name = 'max_worker_processes' AND p.name = 'eventcore.projection_workers'
   AND ((n.state = 'starting' AND EXISTS (SELECT FROM eventcore.stat_appends a WHERE a.since < clock_timestamp() - interval '10 s'))
        OR (n.state = 'running' AND n.pending AND n.last_notified_at < clock_timestamp() - interval '10 s'))
