-- A notifier is there within a second of the first append, unless no background worker is free.
SELECT 'notifier',
       CASE n.state WHEN 'starting' THEN format('no notifier runs, although there were appends: no background worker of max_worker_processes = %s is free%s', m.setting, o.others)
                    ELSE format('appends have ended since %s that the notifier has not seen', n.last_notified_at) END
       || CASE WHEN t.seconds <= 10 THEN ', not yet a problem; from 10 s on it is an error' ELSE '' END,
       CASE WHEN n.state = 'starting' AND t.seconds > 10
            THEN format('ALTER SYSTEM SET max_worker_processes = %s', greatest(2 * m.setting::integer, p.setting::integer + 8)) END,
       CASE WHEN t.seconds <= 10 THEN 'Look again in some seconds.' WHEN n.state = 'starting' THEN 'Then restart the server.' END AS action,
       CASE WHEN t.seconds <= 10 THEN 'note' END AS severity
  FROM eventcore.stat_notifier n, eventcore.stat_appends a, pg_settings m, pg_settings p,
       (SELECT ', because of the processes of ' || string_agg(DISTINCT a.datname, ', ') AS others FROM pg_stat_activity a
         WHERE a.backend_type IN ('eventcore notifier', 'eventcore projection worker') AND a.datname <> current_database()) o,
       LATERAL (SELECT extract(epoch FROM clock_timestamp() - CASE n.state WHEN 'starting' THEN a.since ELSE n.last_notified_at END) AS seconds) t
 WHERE m.name = 'max_worker_processes' AND p.name = 'eventcore.projection_workers'
   AND (n.state = 'starting' OR (n.state = 'running' AND n.pending)) AND t.seconds > 2
