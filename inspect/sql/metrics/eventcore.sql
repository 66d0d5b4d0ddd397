SELECT current_database()::text AS datname,
       eventcore_safe_position()::double precision AS safe_position
