SELECT current_database()::text,
       format('this standby shows the state of %s s ago', round(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))),
       NULL::text
 WHERE pg_is_in_recovery() AND clock_timestamp() - pg_last_xact_replay_timestamp() > '30 s'
   AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
