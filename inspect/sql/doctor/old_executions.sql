SELECT 'eventcore.executions',
       format('%s results of executions are older than 90 days; once they are deleted, their idempotency keys can be used again', count(*)),
       'DELETE FROM eventcore.executions WHERE recorded_at < now() - interval ''90 days'''
  FROM eventcore.executions x
 WHERE x.recorded_at < now() - interval '90 days'
HAVING count(*) > 0
