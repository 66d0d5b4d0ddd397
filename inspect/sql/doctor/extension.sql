-- Its findings about privileges have checks of their own.
SELECT c.object, c.detail, c.statement, c.finding AS id,
       CASE c.finding WHEN 'not_preloaded' THEN 'Then restart the server.'
                      WHEN 'version' THEN CASE WHEN c.statement IS NULL THEN 'Install the files of that version, and restart the server.' ELSE '' END
       END AS action
  FROM eventcore_check() c WHERE c.finding <> 'privilege'
