SELECT current_database()::text AS datname,
       coalesce(max(e.position), 0)::double precision AS last_position
  FROM eventcore.events e
