-- Within a second an append may end by itself.
SELECT format('process %s', i.pid),
       format('readers wait for the transaction of process %s (%s, %s, %s): it appended %s s ago and has not ended%s',
              i.pid, coalesce(i.usename, 'role not visible'), coalesce(nullif(i.application_name, ''), 'no application name'),
              coalesce(i.state, 'state not visible'), round(i.age_seconds),
              CASE WHEN i.age_seconds <= 10 THEN ', not yet a problem; from 10 s on it is an error' END),
       CASE WHEN i.age_seconds > 10 THEN format('SELECT pg_terminate_backend(%s)', i.pid) END,
       CASE WHEN i.age_seconds <= 10 THEN 'Look again in some seconds.' END AS action,
       CASE WHEN i.age_seconds <= 10 THEN 'note' END AS severity
  FROM eventcore.stat_inflight i
 WHERE i.holds_safe_position AND i.holder = 'transaction' AND i.age_seconds > 1
