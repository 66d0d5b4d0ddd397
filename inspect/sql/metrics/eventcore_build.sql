SELECT current_database()::text AS datname,
       (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'eventcore') AS extension,
       (SELECT v.library FROM eventcore_version() v) AS library,
       split_part(current_setting('server_version'), ' ', 1) AS postgresql,
       1::double precision AS info
