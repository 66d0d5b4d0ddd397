SELECT current_database()::text AS datname,
       pg_table_size(c.oid)::double precision AS events_bytes,
       pg_indexes_size(c.oid)::double precision AS indexes_bytes,
       nullif(c.reltuples, -1)::double precision AS events_estimate
  FROM pg_class c
 WHERE c.oid = 'eventcore.events'::regclass
