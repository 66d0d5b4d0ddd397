SELECT p.name,
       format('it has failed%s: %s (%s)', ' on the event at position ' || p.last_error_position, p.last_error, p.last_sqlstate),
       CASE WHEN p.last_sqlstate = 'SE011' THEN format('SELECT eventcore_rebuild_projection(%L)', p.name)
            ELSE format('SELECT eventcore_resume_projection(%L)', p.name) END
  FROM eventcore.stat_projections p
 WHERE p.status = 'failed'
