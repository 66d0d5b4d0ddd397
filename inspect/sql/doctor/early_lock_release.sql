SELECT 'eventcore.early_lock_release',
       'eventcore.early_lock_release is on: who reads inside a transaction and acts outside of it may act on an event that a crash takes back',
       NULL::text
  FROM pg_settings s
 WHERE s.name = 'eventcore.early_lock_release' AND s.reset_val = 'on'
