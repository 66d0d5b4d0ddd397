SELECT 'synchronous standby',
       'events are committed, and no synchronous standby has confirmed them: readers wait until one does',
       NULL::text
  FROM eventcore.stat_inflight i
 WHERE i.holder = 'standby'
