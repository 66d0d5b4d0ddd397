SELECT 'eventcore',
       format('the objects in this database are of version %s; the server has the files of %s', e.extversion, a.default_version),
       'ALTER EXTENSION eventcore UPDATE'
  FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
 WHERE e.extname = 'eventcore' AND a.default_version <> e.extversion
