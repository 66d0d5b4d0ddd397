SELECT current_database()::text,
       format('the database has the encoding %s: only UTF8 holds every name and payload', pg_encoding_to_char(d.encoding)),
       NULL::text
  FROM pg_database d
 WHERE d.datname = current_database() AND pg_encoding_to_char(d.encoding) <> 'UTF8'
