SELECT s.command,
       format('%s states are kept for a command that is not registered any more', count(*)),
       format('DELETE FROM eventcore.command_states WHERE command = %L', s.command)
  FROM eventcore.command_states s
 WHERE NOT EXISTS (SELECT FROM eventcore.commands c WHERE c.name = s.command)
 GROUP BY s.command
