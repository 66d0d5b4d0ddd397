-- A notifier is there within a second of the first append, unless no background worker is free.
SELECT 'notifier',
       CASE n.state WHEN 'starting' THEN 'no notifier runs, although there were appends: is a background worker free?'
                    ELSE format('appends have ended since %s that the notifier has not seen', n.last_notified_at) END,
       CASE n.state WHEN 'starting' THEN format('ALTER SYSTEM SET max_worker_processes = %s', 2 * current_setting('max_worker_processes')::integer) END
  FROM eventcore.stat_notifier n
 WHERE (n.state = 'starting' AND EXISTS (SELECT FROM eventcore.stat_appends a WHERE a.since < clock_timestamp() - interval '10 s'))
    OR (n.state = 'running' AND n.pending AND n.last_notified_at < clock_timestamp() - interval '10 s')
