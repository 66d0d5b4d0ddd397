SELECT current_database()::text AS datname,
       (n.state IN ('running', 'none'))::integer::double precision AS up,
       coalesce(n.pending, false)::integer::double precision AS pending,
       n.last_position::double precision AS last_position,
       n.notifications::double precision AS notifications_total,
       extract(epoch FROM n.started_at)::double precision AS start_time_seconds
  FROM eventcore.stat_notifier n
