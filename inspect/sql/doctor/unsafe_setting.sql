SELECT s.name,
       format('%s is off: %s', s.name,
              CASE s.name WHEN 'synchronous_commit' THEN 'events that were acknowledged are lost when the server crashes'
                          ELSE 'a crash of the machine damages the database' END),
       ARRAY[format('ALTER SYSTEM SET %I = on', s.name), 'SELECT pg_reload_conf()']
  FROM pg_settings s
 WHERE s.name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND s.reset_val = 'off'
