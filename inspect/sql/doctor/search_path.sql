-- This session has a search_path of its own; the reset value is that of the role.
SELECT current_user::text,
       format('the search_path is %s, without the schema %s of the functions: they need that name before them', s.reset_val, n.nspname),
       format('ALTER ROLE %I IN DATABASE %I SET search_path = %s, %I', current_user, current_database(), s.reset_val, n.nspname)
  FROM pg_settings s, pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE s.name = 'search_path' AND e.extname = 'eventcore' AND n.nspname <> 'pg_catalog'
   AND NOT EXISTS (SELECT FROM regexp_split_to_table(s.reset_val, '\s*,\s*') p
                    WHERE trim(BOTH '"' FROM p) = n.nspname OR (trim(BOTH '"' FROM p) = '$user' AND n.nspname = current_user))
