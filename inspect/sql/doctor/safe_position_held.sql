SELECT format('process %s', i.pid),
       format('readers wait for the transaction of process %s (%s, %s, %s): it appended %s s ago and has not ended',
              i.pid, coalesce(i.usename, 'role not visible'), coalesce(nullif(i.application_name, ''), 'no application name'),
              coalesce(i.state, 'state not visible'), round(i.age_seconds)),
       format('SELECT pg_terminate_backend(%s)', i.pid)
  FROM eventcore.stat_inflight i
 WHERE i.holds_safe_position AND i.holder = 'transaction' AND i.age_seconds > 10
