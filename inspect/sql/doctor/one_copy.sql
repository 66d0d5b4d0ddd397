SELECT current_database()::text,
       'there is no archive of the log and no standby: what was written since the last backup is lost with this machine',
       NULL::text
  FROM pg_settings a
 WHERE a.name = 'archive_mode' AND a.setting = 'off' AND NOT pg_is_in_recovery()
   AND NOT EXISTS (SELECT FROM pg_stat_replication) AND NOT EXISTS (SELECT FROM pg_replication_slots)
